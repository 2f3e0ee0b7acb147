package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/dustin/go-humanize"

	"github.com/firnlog/firn"
)

// cacheOff as the directory of the disk cache means that there shall be none.
const cacheOff = "off"

// readConfig returns the configuration file's settings, none if there is no file.
func (a *app) readConfig() (firn.Config, error) {
	if a.config != nil {
		return *a.config, nil
	}
	path := cmp.Or(a.configPath, a.getenv("FIRN_CONFIG"))
	var c firn.Config
	var err error
	if path != "" {
		c, err = firn.ReadConfig(path)
	} else if c, err = firn.ReadConfig("firn.yaml"); errors.Is(err, fs.ErrNotExist) {
		c, err = firn.Config{}, nil
	}
	if err != nil {
		return c, err
	}
	a.config = &c
	return c, nil
}

// lakeName returns the location of the lake, for messages.
func (a *app) lakeName() string {
	c, err := a.readConfig()
	if err != nil {
		c = firn.Config{}
	}
	return a.location(c)
}

// location returns where the lake is: the flag, the environment, the configuration, ./lake.
func (a *app) location(c firn.Config) string {
	return cmp.Or(a.lakeURI, a.getenv("FIRN_LAKE"), c.Lake, "./lake")
}

// options are those for opening a lake or a store.
func (a *app) options() (firn.Config, []firn.Option, error) {
	c, err := a.readConfig()
	if err != nil {
		return c, nil, err
	}
	settings := firn.CacheConfig{}
	if c.Cache != nil {
		settings = *c.Cache
	}
	if a.cacheBytes != "" {
		n, err := humanize.ParseBytes(a.cacheBytes)
		if err != nil || n == 0 || n > 1<<62 {
			return c, nil, usagef("--cache-bytes %q: write a number of bytes, or 20GiB", a.cacheBytes)
		}
		settings.Bytes = firn.ByteSize(n)
	}
	if settings.Dir, err = a.cacheDirectory(c); err != nil {
		return c, nil, err
	}
	c.Cache = nil
	if settings.Dir != "" {
		c.Cache = &settings
	}
	c.Catalog = cmp.Or(a.catalogURI, a.getenv("FIRN_CATALOG"), c.Catalog)
	return c, []firn.Option{firn.WithConfig(c), firn.WithLogger(a.logger()), firn.WithClock(a.now)}, nil
}

// cacheDirectory returns the directory of the disk cache, or "" if there shall be none.
func (a *app) cacheDirectory(c firn.Config) (string, error) {
	dir := cmp.Or(a.cacheDir, a.getenv("FIRN_CACHE"))
	if dir == "" && c.Cache != nil {
		dir = c.Cache.Dir
	}
	switch dir {
	case cacheOff:
		return "", nil
	case "":
		base, err := os.UserCacheDir()
		if err != nil { // no home directory: a daemon, a container
			return "", nil //nolint:nilerr // then there is no cache, which is only slower
		}
		return filepath.Join(base, "firn"), nil
	}
	return filepath.Abs(dir)
}

// openLake opens the lake. Verbs that write make it if it is missing.
func (a *app) openLake(ctx context.Context, create bool, opts ...firn.Option) (*firn.Lake, error) {
	c, all, err := a.options()
	if err != nil {
		return nil, err
	}
	all = append(all, opts...)
	if !create {
		all = append(all, firn.MustExist())
	}
	lake, err := firn.Open(ctx, a.location(c), all...)
	if errors.Is(err, firn.ErrNoLake) {
		return nil, fmt.Errorf("%w; name it with --lake or $FIRN_LAKE, or make one with 'firn load' or 'firn create'", err)
	}
	return lake, err
}

// openObject returns a store and a name in it for a path or URI. The caller closes the store.
func (a *app) openObject(ctx context.Context, path string) (firn.StoreCloser, string, error) {
	_, opts, err := a.options()
	if err != nil {
		return nil, "", err
	}
	dir, name := splitObject(path)
	if dir == "" {
		abs, err := filepath.Abs(strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(path, "file:"), "//localhost"), "//"))
		if err != nil {
			return nil, "", err
		}
		info, err := os.Stat(abs)
		if err != nil {
			return nil, "", err
		}
		if info.IsDir() {
			return nil, "", fmt.Errorf("%s is a directory; name a file", path)
		}
		dir, name = filepath.Dir(abs), filepath.Base(abs)
	}
	store, err := firn.OpenStore(ctx, dir, opts...)
	return store, name, err
}

// splitObject splits the URI of an object into that of its directory and its name there; dir is "" for what is no URI of a remote storage.
func splitObject(uri string) (dir, name string) {
	scheme, rest, ok := strings.Cut(uri, "://")
	if !ok || scheme == "file" {
		return "", ""
	}
	slash := strings.LastIndex(rest, "/")
	if slash < 0 || slash == len(rest)-1 {
		return "", ""
	}
	return scheme + "://" + rest[:slash], rest[slash+1:]
}
