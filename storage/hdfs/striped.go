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
	opened, err := s.options.OpenWebHDFS(ctx, s.webAddress())
	if err != nil {
		return nil, fmt.Errorf("%w, and WebHDFS could not be opened: %w", errStriped, err)
	}
	c.opened = opened
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

// Ports of WebHDFS where none is given.
const (
	plainPort  = "9870"
	securePort = "9871"
)

// webAddress returns where the store's directory is found with WebHDFS. There is an address.
func (s *Store) webAddress() WebAddress {
	at := WebAddress{RootURI: s.place.uri, User: s.user}
	web, port := "webhdfs://", plainPort
	if strings.HasPrefix(s.place.http[0], "https://") {
		web, port = "swebhdfs://", securePort
	}
	for _, address := range s.place.http {
		_, host, _ := strings.Cut(address, "://")
		at.Addresses = append(at.Addresses, withPort(host, port))
	}
	at.URI = strings.TrimSuffix(web+at.Addresses[0]+s.place.dir, "/")
	return at
}
