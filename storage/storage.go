// Package storage names immutable bytes. A Store maps a name to an object that is written once, read in ranges, listed and deleted,
// and never changed in place. It is the only home of storage SDKs; everything above it speaks Store.
package storage

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"
)

// Sentinel errors, to be tested with errors.Is. Stores wrap them with the name, the place and what to do.
var (
	// ErrNotExist says that no object has that name.
	ErrNotExist = errors.New("object does not exist")
	// ErrExist says that an object of that name exists already; objects are immutable, so it was left as it is.
	ErrExist = errors.New("object exists already")
	// ErrInvalidName says that a name is empty, absolute, not clean, or not valid UTF-8.
	ErrInvalidName = errors.New("invalid object name")
	// ErrRange says that a read lies (partly) behind the end of the object.
	ErrRange = errors.New("range lies outside the object")
)

// Info describes one object.
type Info struct {
	Name    string    // relative to the store's root, slash-separated
	Size    int64     // bytes
	ModTime time.Time // when it was published, by the store's own clock
}

// Range is a run of bytes of an object: [Offset, Offset+Length).
type Range struct {
	Offset int64
	Length int64
}

// Store is a flat set of immutable objects below one root. Names are relative, slash-separated and clean
// ("default/web/data/x.parquet"); directories are not objects. All methods are safe for concurrent use.
type Store interface {
	// URI returns the absolute location of a name, as Iceberg metadata records it ("file:///lake/default/web/x.parquet").
	// URI("") is the root without a trailing slash.
	URI(name string) string

	// Stat returns the object's size and time, or ErrNotExist.
	Stat(ctx context.Context, name string) (Info, error)

	// ReadAt fills p from offset off. It returns ErrRange if the object ends before p is full, ErrNotExist if there is none.
	// One call is one request to the storage.
	ReadAt(ctx context.Context, name string, p []byte, off int64) error

	// ReadTail reads the last len(p) bytes, or the whole object if it is shorter, and returns how many it read
	// (they are p[:n]) and the object's size. It takes one request: this is how a file whose size is unknown is opened.
	ReadTail(ctx context.Context, name string, p []byte) (n int, size int64, err error)

	// Create starts an object. The object appears, whole, when Commit returns nil, and not before. If the name is taken,
	// Create or Commit returns ErrExist, and of several concurrent writers of one name exactly one wins.
	Create(ctx context.Context, name string) (Writer, error)

	// List yields the objects whose names start with prefix, in byte order of the names. Objects being written are not listed.
	List(ctx context.Context, prefix string) iter.Seq2[Info, error]

	// Delete removes an object. Deleting a name that does not exist is not an error.
	Delete(ctx context.Context, name string) error
}

// Writer writes one object. It is not safe for concurrent use. Exactly one of Commit and Abort ends it; Abort after Commit
// does nothing, so that `defer w.Abort()` is always right.
type Writer interface {
	io.Writer
	// Commit makes the object durable and visible under its name.
	Commit(ctx context.Context) error
	// Abort drops what was written and leaves nothing behind.
	Abort() error
}
