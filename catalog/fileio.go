package catalog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/url"
	"path"
	"time"

	iceio "github.com/apache/iceberg-go/io"

	"github.com/firnlog/firn/storage"
)

// How iceberg-go gets at files.
//
// iceberg-go's own LocalFS never calls fsync, and finds its file system through a registry of URI schemes that is global to the
// process. firn uses neither: table.New takes the file system as a function, so every table gets a fileIO, which turns each call
// into calls to the storage.Store that also holds the data files. Thus metadata is exactly as durable, metered and fault-tested as
// data, two stores of one scheme can live in one process, and nothing global is changed. The one place where iceberg-go insists on
// the registry is its SQL catalog, when it reads and writes metadata.json; see backend.go for what stands in its place.
//
// A manifest, a manifest list and a metadata.json are each written once, whole, and made durable by Writer.Commit before the catalog
// points to them. None of the three needs another one to be there first, only its name and size, so a commit writes them side by
// side (see staging.go) and waits for all of them before it moves the pointer.

// readAhead is what is read, from the end, of an object whose size is not known: most manifest lists fit, and need one request.
// Through a network more is asked for: what is not there costs nothing, and a second request costs a round trip.
const (
	readAhead       = 128 << 10
	readAheadRemote = 1 << 20
)

// readObject reads a whole object. sizeHint is the expected size: if it is right, or too large, it takes one request, else two.
func readObject(ctx context.Context, store storage.Store, name string, sizeHint int64) ([]byte, error) {
	if sizeHint <= 0 {
		sizeHint = readAhead
		if traits := storage.TraitsOf(store); traits.Remote {
			sizeHint = max(readAheadRemote, int64(traits.TailBytes))
		}
	}
	tail := make([]byte, sizeHint)
	n, size, err := store.ReadTail(ctx, name, tail)
	if err != nil {
		return nil, err
	}
	if size == int64(n) {
		return tail[:n:n], nil
	}
	whole := make([]byte, size)
	copy(whole[size-int64(n):], tail[:n])
	if err := store.ReadAt(ctx, name, whole[:size-int64(n)], 0); err != nil {
		return nil, err
	}
	return whole, nil
}

// writeObject writes a whole object durably.
func writeObject(ctx context.Context, store storage.Store, name string, content []byte) error {
	w, err := store.Create(ctx, name)
	if err != nil {
		return err
	}
	defer func() { _ = w.Abort() }()
	if _, err := w.Write(content); err != nil {
		return err
	}
	return w.Commit(ctx)
}

// nameOf returns the name that a location written in Iceberg metadata has in the store. iceberg-go percent-encodes the paths that it
// makes itself, so a location that is not found as it stands is tried decoded.
func nameOf(store storage.Store, location string) (string, error) {
	if name, ok := storage.NameOf(store, location); ok && name != "" {
		return name, nil
	}
	if decoded, err := url.PathUnescape(location); err == nil && decoded != location {
		if name, ok := storage.NameOf(store, decoded); ok && name != "" {
			return name, nil
		}
	}
	return "", fmt.Errorf("%w: %q lies outside the lake %q: open the lake that holds it", ErrUnsupported, location, store.URI(""))
}

// fileIO is iceberg-go's view of a store for the length of one operation. iceberg-go's interface knows no context, so the
// operation's own is kept here; a fileIO is never kept longer than the call that made it.
type fileIO struct {
	ctx    context.Context //nolint:containedctx // see above
	store  storage.Store
	logger *slog.Logger
	known  *objectCache // manifests and manifest lists that this process read or wrote before; nil is none
}

var (
	_ iceio.ReadFileIO  = (*fileIO)(nil)
	_ iceio.WriteFileIO = (*fileIO)(nil)
)

func newFileIO(ctx context.Context, store storage.Store, logger *slog.Logger) *fileIO {
	return &fileIO{ctx: ctx, store: store, logger: logger}
}

func (f *fileIO) Open(location string) (iceio.File, error) {
	content, err := f.ReadFile(location)
	if err != nil {
		return nil, err
	}
	return &memoryFile{Reader: bytes.NewReader(content), name: location}, nil
}

func (f *fileIO) ReadFile(location string) ([]byte, error) { return f.read(location, 0) }

// read returns an object, from memory where it is known. Callers must not change it.
func (f *fileIO) read(location string, sizeHint int64) ([]byte, error) {
	name, err := nameOf(f.store, location)
	if err != nil {
		return nil, err
	}
	if content, ok := f.known.get(name); ok {
		return content, nil
	}
	content, err := readObject(f.ctx, f.store, name, sizeHint)
	if err != nil {
		return nil, fmt.Errorf("reading table metadata %q: %w", location, err)
	}
	f.known.add(name, content)
	return content, nil
}

func (f *fileIO) Create(location string) (iceio.FileWriter, error) {
	name, err := nameOf(f.store, location)
	if err != nil {
		return nil, err
	}
	return &objectWriter{finish: func(content []byte) error {
		if err := writeObject(f.ctx, f.store, name, content); err != nil {
			return fmt.Errorf("writing table metadata %q: %w", name, err)
		}
		return nil
	}}, nil
}

func (f *fileIO) WriteFile(location string, content []byte) error {
	return writeFile(f, location, content)
}

func writeFile(files iceio.WriteFileIO, location string, content []byte) error {
	w, err := files.Create(location)
	if err != nil {
		return err
	}
	if _, err := w.Write(content); err != nil {
		return errors.Join(err, w.Close())
	}
	return w.Close()
}

// Remove deletes an object that is not needed any more. It never fails: iceberg-go removes files only to clean up, and would print
// the error to the process's standard logger. What stays is litter and does no harm.
func (f *fileIO) Remove(location string) error {
	name, err := nameOf(f.store, location)
	if err == nil {
		err = f.store.Delete(context.WithoutCancel(f.ctx), name)
	}
	if err != nil {
		f.logger.Debug("an unused metadata file stays behind", "location", location, "error", err)
	}
	return nil
}

// objectWriter gathers an object in memory, and hands it on when it is closed.
type objectWriter struct {
	content []byte
	finish  func(content []byte) error
	result  error
	closed  bool
}

func (o *objectWriter) Write(p []byte) (int, error) {
	if o.closed {
		return 0, fs.ErrClosed
	}
	o.content = append(o.content, p...)
	return len(p), nil
}

func (o *objectWriter) ReadFrom(r io.Reader) (int64, error) {
	return io.Copy(struct{ io.Writer }{o}, r)
}

func (o *objectWriter) Close() error {
	if !o.closed {
		o.closed = true
		o.result = o.finish(o.content)
	}
	return o.result
}

// memoryFile is an object that was read whole.
type memoryFile struct {
	*bytes.Reader
	name string
}

func (m *memoryFile) Close() error               { return nil }
func (m *memoryFile) Stat() (fs.FileInfo, error) { return memoryInfo{m.name, m.Size()}, nil }

type memoryInfo struct {
	name string
	size int64
}

func (i memoryInfo) Name() string       { return path.Base(i.name) }
func (i memoryInfo) Size() int64        { return i.size }
func (i memoryInfo) Mode() fs.FileMode  { return 0o444 }
func (i memoryInfo) ModTime() time.Time { return time.Time{} }
func (i memoryInfo) IsDir() bool        { return false }
func (i memoryInfo) Sys() any           { return nil }
