package firn

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/firnlog/firn/storage"
	"github.com/firnlog/firn/storage/cache"
	"github.com/firnlog/firn/storage/hdfs"
	"github.com/firnlog/firn/storage/local"
	"github.com/firnlog/firn/storage/s3"
	"github.com/firnlog/firn/storage/webhdfs"
)

// place is a location of a lake, taken apart.
type place struct {
	scheme string // "file", "s3", "hdfs", "webhdfs", "swebhdfs"
	uri    string // as given, but for file: the absolute directory
}

// remote tells whether other machines see the same place.
func (p place) remote() bool { return p.scheme != "file" }

// placeOf takes a location apart: a directory, or a URI of one of the storages.
func placeOf(location string) (place, error) {
	if location == "" {
		return place{}, fmt.Errorf("%w: the location of the lake is empty", ErrInvalid)
	}
	scheme, rest, isURI := strings.Cut(location, ":")
	if !isURI || len(scheme) < 2 || strings.ContainsAny(scheme, `/\.`) {
		dir, err := filepath.Abs(location)
		return place{"file", dir}, err
	}
	switch scheme {
	case "file":
		path := strings.TrimPrefix(strings.TrimPrefix(rest, "//localhost"), "//")
		if !filepath.IsAbs(path) {
			return place{}, fmt.Errorf("%w: a lake at %q: a file URI needs an absolute path, such as file:///var/lake", ErrInvalid, location)
		}
		return place{"file", filepath.Clean(path)}, nil
	case "s3", "hdfs", "webhdfs", "swebhdfs":
		return place{scheme, strings.TrimRight(location, "/")}, nil
	case "s3a", "s3n": // Hadoop's names for the same storage
		return place{"s3", "s3" + strings.TrimRight(location[len(scheme):], "/")}, nil
	}
	return place{}, fmt.Errorf("%w: a lake at %q: the storage %q is not known; use a directory, file:///…, s3://bucket/…, hdfs://host:port/… "+
		"or webhdfs://host:port/…", ErrInvalid, location, scheme)
}

// OpenStore opens the storage at a location as Open does, with the same options, for programs that read or write objects themselves.
// The caller closes it.
func OpenStore(ctx context.Context, location string, opts ...Option) (StoreCloser, error) {
	p, err := placeOf(location)
	if err != nil {
		return nil, err
	}
	return openStore(ctx, p, newOptions(opts))
}

// StoreCloser is a store that holds connections or files open.
type StoreCloser interface {
	storage.Store
	io.Closer
}

// openStore opens the storage at a place, with no cache above it.
func openStore(ctx context.Context, p place, o options) (StoreCloser, error) {
	var store StoreCloser
	var err error
	switch p.scheme {
	case "file":
		store, err = local.New(p.uri)
	case "s3":
		store, err = s3.Open(ctx, p.uri, o.s3)
	case "hdfs":
		settings := o.hdfs
		if settings.OpenWebHDFS == nil {
			settings.OpenWebHDFS = func(ctx context.Context, at hdfs.WebAddress) (storage.Store, error) {
				web := o.webhdfs
				web.RootURI, web.Addresses, web.User = at.RootURI, at.Addresses, at.User
				return webhdfs.Open(ctx, at.URI, web)
			}
		}
		store, err = hdfs.Open(ctx, p.uri, settings)
	default:
		store, err = webhdfs.Open(ctx, p.uri, o.webhdfs)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot open the lake at %s: %w", p.uri, err)
	}
	return store, nil
}

// withCache puts the disk cache, if there is to be one, above a remote store. Closing the cache does not close the store.
func withCache(store StoreCloser, p place, o options) (StoreCloser, error) {
	if o.diskCache == nil || !p.remote() {
		return store, nil
	}
	cached, err := cache.Open(store, *o.diskCache)
	if err != nil {
		return nil, fmt.Errorf("cannot open the disk cache: %w", err)
	}
	return cached, nil
}

// checkCatalog refuses a remote lake without a catalog, before anything is opened.
func checkCatalog(p place, o options) error {
	if o.catalog != "" || !p.remote() {
		return nil
	}
	return fmt.Errorf("%w: a lake at %s needs a catalog that says which tables there are: give firn.Catalog (--catalog) "+
		"postgres://…, http(s)://… of an Iceberg REST catalog, or, for the processes of one machine only, sqlite:///path/catalog.db",
		ErrInvalid, p.uri)
}

// catalogOf returns the URI of the catalog of a lake.
func catalogOf(store storage.Store, o options) string {
	if o.catalog != "" {
		return o.catalog
	}
	// The store's own spelling of the directory, with symbolic links resolved, is what the tables' metadata records.
	return "sqlite://" + filepath.ToSlash(filepath.Join(store.(*local.Store).Dir(), catalogFile))
}
