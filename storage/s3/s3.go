// Package s3 keeps objects in a bucket of Amazon S3 or of a server that speaks its protocol.
//
// An object becomes visible with the one request that completes it, which says `If-None-Match: *`: of several writers of one name
// exactly one wins. Small objects are one PutObject; larger ones are uploaded in parts while they are written. Bytes are guarded by
// CRC32C on their way to the server.
//
// Requests that fail for a reason that may pass (a lost connection, a server that is slow, busy, restarting or out of order, a clock
// that is wrong, expired credentials) are made again, with growing pauses, until Options.MaxAttempts or the context ends it. A body
// that ends early is resumed where it stopped. If the answer to the completing request is lost, the store looks whether the object is
// there and its own: each carries the id of its upload in its metadata ("firn-upload").
//
// An upload that was killed leaves parts, which nobody sees but the bill. RemoveStale removes them, and so does a lifecycle rule
// (AbortIncompleteMultipartUpload), which every bucket should have.
package s3

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/firnlog/firn/storage"
)

// Store is a storage.Store of the objects below one prefix of a bucket. Make one with Open and end it with Close.
type Store struct {
	uri    string // scheme://bucket or scheme://bucket/prefix
	bucket string
	prefix string // "" or with a slash at its end

	options     Options
	client      *s3.Client
	http        *http.Client
	ownHTTP     bool // http is not the caller's
	credentials *aws.CredentialsCache
	log         *slog.Logger
	firstPause  time.Duration // between the first two attempts
	slots       chan struct{} // one for each part that may be uploaded now
	parts       sync.Pool     // of *[]byte with the capacity of a part
	bucketSeen  atomic.Bool   // the bucket is known to exist
	authorized  atomic.Bool   // credentials were obtained at least once
	wrote       atomic.Bool   // an object was written: the credentials allow that

	requests, retries, bytesRead, bytesWritten atomic.Int64
}

var _ storage.Store = (*Store)(nil)

// Open returns the store of a bucket, or of what lies below a prefix of it: s3://bucket or s3://bucket/prefix. It makes no request to
// the bucket, so that its absence shows only later; the search for credentials may ask other services. s3a:// is understood too.
func Open(ctx context.Context, uri string, opts Options) (*Store, error) {
	scheme, bucket, prefix, err := parseURI(uri)
	if err != nil {
		return nil, fmt.Errorf("open S3 store: %w", err)
	}
	if opts, err = opts.withDefaults(); err != nil {
		return nil, fmt.Errorf("open S3 store %s: %w", uri, err)
	}
	s := &Store{
		uri:        scheme + "://" + bucket,
		bucket:     bucket,
		options:    opts,
		log:        opts.Logger,
		firstPause: 100 * time.Millisecond,
		slots:      make(chan struct{}, opts.UploadParallel),
	}
	if prefix != "" {
		s.uri += "/" + prefix
		s.prefix = prefix + "/"
	}
	if err := s.connect(ctx); err != nil {
		return nil, fmt.Errorf("open S3 store %s: %w", uri, err)
	}
	return s, nil
}

// Close closes idle connections. What is under way goes on.
func (s *Store) Close() error {
	if s.ownHTTP {
		s.http.CloseIdleConnections()
	}
	return nil
}

// URI implements storage.Store. As all Iceberg writers do, it records names as they are, without percent-encoding.
func (s *Store) URI(name string) string {
	if name == "" {
		return s.uri
	}
	return s.uri + "/" + name
}

// Traits tells that the store is behind a network.
func (s *Store) Traits() storage.Traits { return storage.RemoteTraits() }

// Counts is what a store asked of its server.
type Counts struct {
	Requests     int64 // requests made, repeated ones included; redials of a connection are not counted
	Retries      int64 // of these, how many repeated an earlier one
	BytesRead    int64 // bytes of objects received, also those of attempts that failed later
	BytesWritten int64 // bytes of objects that the server took
}

// Counts returns the counts since Open. Each is exact; while requests are under way, they may be of slightly different moments.
func (s *Store) Counts() Counts {
	return Counts{
		Requests:     s.requests.Load(),
		Retries:      s.retries.Load(),
		BytesRead:    s.bytesRead.Load(),
		BytesWritten: s.bytesWritten.Load(),
	}
}

// key returns the key of a name.
func (s *Store) key(name string) *string { return aws.String(s.prefix + name) }

// check returns an error unless an operation on a name may begin.
func (s *Store) check(ctx context.Context, op, name string) error {
	if err := storage.CheckName(name); err != nil {
		return fmt.Errorf("%s in %s: %w", op, s.uri, err)
	}
	if len(s.prefix)+len(name) > maxKeyBytes {
		return fmt.Errorf("%s in %s: %w: %q with its prefix has more than the %d bytes that S3 allows",
			op, s.uri, storage.ErrInvalidName, name, maxKeyBytes)
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s %q in %s: %w", op, name, s.uri, err)
	}
	return nil
}
