package hdfs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/firnlog/firn/storage"
)

// errStriped says that a file is erasure coded, which the client library cannot read or write.
var errStriped = errors.New("the file is erasure coded")

// coded is the store that serves erasure coded files, opened when the first one is met.
type coded struct {
	store *Store

	mu     sync.Mutex
	opened storage.Store
	closed bool
}

// open returns the store, or an error that says what to set.
func (c *coded) open(ctx context.Context) (storage.Store, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.store
	switch {
	case c.closed:
		return nil, errClosed
	case c.opened != nil:
		return c.opened, nil
	case s.options.OpenWebHDFS == nil:
		return nil, fmt.Errorf("%w, which takes WebHDFS: set Options.OpenWebHDFS, or open the directory as webhdfs://", errStriped)
	case len(s.place.http) == 0:
		return nil, fmt.Errorf("%w, which takes WebHDFS, and no HTTP address of the namenode is known: set Options.WebHDFS to host:port "+
			"(9870 by default), or dfs.namenode.http-address in hdfs-site.xml of HADOOP_CONF_DIR", errStriped)
	}
	var failures []error
	for _, address := range s.place.http {
		opened, err := c.try(ctx, webURI(address, s.place.dir))
		if err == nil {
			c.opened = opened
			return opened, nil
		}
		failures = append(failures, err)
	}
	return nil, fmt.Errorf("%w, and no namenode could be reached with WebHDFS: %w", errStriped, errors.Join(failures...))
}

// try opens the store at one namenode and asks it something: a standby refuses.
func (c *coded) try(ctx context.Context, uri string) (storage.Store, error) {
	opened, err := c.store.options.OpenWebHDFS(ctx, uri)
	if err != nil {
		return nil, err
	}
	if _, err := opened.Stat(ctx, "no-such-object"); err != nil && !errors.Is(err, storage.ErrNotExist) {
		return nil, errors.Join(err, closeStore(opened))
	}
	return opened, nil
}

// close closes the store if it was opened.
func (c *coded) close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	return closeStore(c.opened)
}

// closeStore closes a store if it has a method for that.
func closeStore(s storage.Store) error {
	if closer, ok := s.(io.Closer); ok {
		return closer.Close()
	}
	return nil
}

// webURI turns an HTTP address of a namenode into the URI of a directory there.
func webURI(address, dir string) string {
	uri := strings.TrimPrefix(address, "http://")
	if host, secure := strings.CutPrefix(address, "https://"); secure {
		return strings.TrimSuffix("swebhdfs://"+host+dir, "/")
	}
	return strings.TrimSuffix("webhdfs://"+uri+dir, "/")
}
