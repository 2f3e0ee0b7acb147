// Package webhdfs keeps objects as files of an HDFS cluster, reached through WebHDFS, the REST interface of its namenodes and
// datanodes (also that of HttpFS gateways). It is slower than the native protocol of package hdfs, but here the servers do the erasure
// coding, so that it reads and writes directories with an erasure coding policy.
//
// An object is spooled, uploaded under a hidden name beside its place, and published by renaming it without overwriting, which the
// namenode does atomically: an object appears whole or not at all, and of several writers of one name exactly one wins. Object names
// are the paths of the files, so a name cannot be an object and a directory at once ("a" and "a/b"), and HDFS has no names with a colon.
package webhdfs

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/firnlog/firn/storage"
)

// known is what the store remembers of an object. Objects are immutable, but a name may be deleted and made again by another program:
// whoever uses it checks that it still holds.
type known struct {
	size   int64
	fileID int64 // the number of the file in the namenode, never given twice; 0 where the server tells none
}

// Store is a storage.Store of files below one directory of HDFS. Make one with Open and end it with Close. All methods are safe for
// concurrent use.
type Store struct {
	options   Options
	addresses []string // host:port of the namenodes
	scheme    string   // "http" or "https"
	dir       string   // absolute path of the root in HDFS, "" for the root of the file system
	uri       string   // of the root
	user      string   // for simple authentication
	auth      authenticator

	http      *http.Client
	active    atomic.Int64 // index in addresses, modulo their number, of the namenode asked first
	answered  atomic.Bool  // some namenode has answered once
	datanodes *datanodes
	objects   *lru.Cache[string, known]
	log       *slog.Logger
	now       func() time.Time
	pause     func(ctx context.Context, d time.Duration) error // replaced by tests
}

var _ storage.Store = (*Store)(nil)

// Open returns a store of the files below a directory, which need not exist. The URI is webhdfs://host:port/dir, with the port of the
// namenode's web interface (9870 if it is left out), or webhdfs://nameservice/dir with a nameservice that the configuration of Hadoop
// explains (see Options.ConfDir); swebhdfs:// is the same over TLS. Open sends no request.
func Open(ctx context.Context, uri string, opts Options) (*Store, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("webhdfs: open %s: %w", uri, err)
	}
	conf, err := loadConf(opts.ConfDir)
	if err != nil {
		return nil, fmt.Errorf("webhdfs: open %s: read the configuration of Hadoop: %w", uri, err)
	}
	place, err := locate(uri, conf, opts)
	if err != nil {
		return nil, fmt.Errorf("webhdfs: open %s: %w", uri, err)
	}
	opts = opts.withDefaults()
	auth, err := newAuthenticator(opts.Kerberos, conf)
	if err != nil {
		return nil, fmt.Errorf("webhdfs: open %s: Kerberos: %w", uri, err)
	}
	objects, err := lru.New[string, known](knownObjects)
	if err != nil {
		return nil, fmt.Errorf("webhdfs: open %s: %w", uri, err)
	}
	return &Store{
		options: opts, addresses: place.addresses, scheme: place.scheme, dir: place.dir, uri: place.uri,
		user: opts.User, auth: auth, http: newHTTPClient(opts),
		datanodes: newDatanodes(opts.Now), objects: objects, log: opts.Logger, now: opts.Now, pause: pause,
	}, nil
}

// knownObjects is of how many objects the store remembers the size.
const knownObjects = 8192

// newHTTPClient returns a client that follows no redirects: what is sent to whom is decided here. As Hadoop's own clients, it knows no
// proxies: clusters lie in the same network.
func newHTTPClient(o Options) *http.Client {
	return &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext:           o.Dial,
			TLSClientConfig:       o.TLS,
			DisableCompression:    true, // lengths are those of the objects
			MaxIdleConnsPerHost:   storage.RemoteTraits().Parallel,
			IdleConnTimeout:       30 * time.Second,
			TLSHandshakeTimeout:   o.StallTimeout,
			ExpectContinueTimeout: o.StallTimeout,
		},
	}
}

// Close gives idle connections back. Requests still at work are not disturbed.
func (s *Store) Close() error {
	s.http.CloseIdleConnections()
	return nil
}

// Traits implements the method that storage.TraitsOf looks for. A read takes two requests, one to the namenode and one on a new
// connection to a datanode, so that bytes between two wanted ranges are cheaper read than skipped.
func (s *Store) Traits() storage.Traits {
	t := storage.RemoteTraits()
	t.ReadGap = 1 << 20
	t.Parallel = 16
	return t
}

// URI implements storage.Store. Names are recorded as they are, without percent-encoding.
func (s *Store) URI(name string) string {
	if name == "" {
		return s.uri
	}
	return s.uri + "/" + name
}

// path returns the absolute path of a name in HDFS.
func (s *Store) path(name string) string {
	if name == "" {
		if s.dir == "" {
			return "/"
		}
		return s.dir
	}
	return s.dir + "/" + name
}

// check refuses what no request should be made for.
func (s *Store) check(ctx context.Context, verb, name string) error {
	err := ctx.Err()
	if err == nil {
		err = checkName(name)
	}
	if err != nil {
		return s.failed(verb, name, err)
	}
	return nil
}

// checkName is storage.CheckName, and refuses what HDFS cannot name.
func checkName(name string) error {
	if err := storage.CheckName(name); err != nil {
		return err
	}
	if strings.Contains(name, ":") {
		return fmt.Errorf("%w: %q holds a colon, which HDFS does not allow: escape it (%%3A)", storage.ErrInvalidName, name)
	}
	return nil
}

// failed says which operation failed on which object.
func (s *Store) failed(verb, name string, err error) error {
	return fmt.Errorf("webhdfs: %s %s: %w", verb, s.URI(name), err)
}
