package s3

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/google/uuid"

	"github.com/firnlog/firn/storage"
)

// uploadMark is the key of the metadata by which an object says which writer made it.
const uploadMark = "firn-upload"

// cleanupTimeout bounds what is done after the end of a context, to find out what happened, and each request to tidy up after a failure.
const cleanupTimeout = 10 * time.Second

// brief returns a context for tidying up: it lives for cleanupTimeout, whatever becomes of ctx.
func brief(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
}

// detached returns a context for finding out what happened: it lives cleanupTimeout longer than ctx.
func detached(ctx context.Context) (context.Context, context.CancelFunc) {
	free, cancel := context.WithCancel(context.WithoutCancel(ctx))
	unhook := context.AfterFunc(ctx, func() { time.AfterFunc(cleanupTimeout, cancel) })
	return free, func() {
		unhook()
		cancel()
	}
}

// errEnded is returned by a writer that was committed or aborted before.
var errEnded = errors.New("the writer was committed or aborted already")

// Create implements storage.Store. It makes no request: that a name is taken shows at Commit. Parts of large objects are uploaded in the
// background while the caller writes; they are not bound by ctx but by the life of the writer.
func (s *Store) Create(ctx context.Context, name string) (storage.Writer, error) {
	if err := s.check(ctx, "create", name); err != nil {
		return nil, err
	}
	w := &writer{store: s, name: name, id: uuid.NewString()}
	background := context.WithoutCancel(ctx)
	w.begin = func() *multipart { return s.newMultipart(background, name, w.id) }
	w.abort = func() error { return w.drop(background) }
	return w, nil
}

// writer gathers the bytes of one object: one part of them, or all if there are no more.
type writer struct {
	store  *Store
	name   string
	id     string // what uploadMark says
	buffer []byte
	parts  *multipart // nil while the object fits into the buffer
	begin  func() *multipart
	abort  func() error
	ended  bool
}

// Write implements io.Writer. An error may be that of a part written earlier.
func (w *writer) Write(p []byte) (int, error) {
	if w.ended {
		return 0, fmt.Errorf("write %q in %s: %w", w.name, w.store.uri, errEnded)
	}
	size := w.store.options.PartBytes
	written := 0
	for len(p) > 0 {
		if len(w.buffer) == size {
			if err := w.flush(); err != nil {
				return written, err
			}
		}
		n := min(len(p), size-len(w.buffer))
		w.grow(len(w.buffer)+n, size)
		w.buffer = append(w.buffer, p[:n]...)
		written += n
		p = p[n:]
	}
	return written, nil
}

// grow makes room in the buffer, never for more than a part.
func (w *writer) grow(want, limit int) {
	if want <= cap(w.buffer) {
		return
	}
	larger := make([]byte, len(w.buffer), min(limit, max(want, 2*cap(w.buffer), 64<<10)))
	copy(larger, w.buffer)
	w.buffer = larger
}

// flush hands the buffer over to be uploaded.
func (w *writer) flush() error {
	if w.parts == nil {
		w.parts = w.begin()
	}
	if err := w.parts.add(w.buffer); err != nil {
		return err
	}
	w.buffer = w.store.partBuffer()
	return nil
}

// Commit implements storage.Writer. If the answer to the last request is lost, Commit finds out whether the object is there; if even that
// fails, its error is ErrUnknownOutcome. A context that ends lets Commit return within half a minute.
func (w *writer) Commit(ctx context.Context) error {
	if w.ended {
		return fmt.Errorf("commit %q in %s: %w", w.name, w.store.uri, errEnded)
	}
	w.ended = true
	if err := ctx.Err(); err != nil {
		return errors.Join(fmt.Errorf("commit %q in %s: %w", w.name, w.store.uri, err), w.drop(ctx))
	}
	data := w.buffer
	w.buffer = nil
	if w.store.options.UnsafeCreate {
		if err := w.store.refuseTaken(ctx, w.name); err != nil {
			return errors.Join(err, w.drop(ctx))
		}
	}
	if w.parts != nil {
		return w.parts.commit(ctx, data)
	}
	err := w.store.putObject(ctx, w.name, w.id, data)
	return w.store.settle(ctx, w.name, w.id, err)
}

// Abort implements storage.Writer.
func (w *writer) Abort() error {
	if w.ended {
		return nil
	}
	w.ended = true
	return w.abort()
}

// drop forgets what was written, also if ctx has ended.
func (w *writer) drop(ctx context.Context) error {
	w.buffer = nil
	if w.parts == nil {
		return nil
	}
	return w.parts.abort(ctx)
}

// putObject creates an object with one request.
func (s *Store) putObject(ctx context.Context, name, id string, data []byte) error {
	in := &s3.PutObjectInput{
		Bucket:               &s.bucket,
		Key:                  s.key(name),
		ContentLength:        aws.Int64(int64(len(data))),
		ChecksumCRC32C:       checksum(data),
		IfNoneMatch:          s.ifNone(),
		Metadata:             map[string]string{uploadMark: id},
		ServerSideEncryption: types.ServerSideEncryption(s.options.SSE),
		SSEKMSKeyId:          optional(s.options.SSEKMSKeyID),
		StorageClass:         types.StorageClass(s.options.StorageClass),
	}
	return s.do(ctx, call{op: "commit", api: "PutObject", name: name}, func(ctx context.Context, moved func()) error {
		in.Body = &body{reader: bytes.NewReader(data), moved: moved}
		_, err := s.client.PutObject(ctx, in)
		if err == nil {
			s.bytesWritten.Add(int64(len(data)))
			s.wrote.Store(true)
		}
		return err
	})
}

// settle finds out what became of a commit that returned err: nil if the object is there and this writer's, storage.ErrExist if it is
// another's.
func (s *Store) settle(ctx context.Context, name, id string, err error) error {
	taken := err != nil && isTaken(err)
	if err == nil || !taken && !inDoubt(err) {
		return err
	}
	// Also when the first attempt says that the name is taken: some layer below may have sent the request twice.
	ctx, cancel := detached(ctx)
	defer cancel()
	out, headErr := s.head(ctx, "look for", name)
	switch {
	case headErr == nil && out.Metadata[uploadMark] == id:
		s.log.Info("an S3 request whose answer was lost had succeeded", "uri", s.URI(name))
		return nil
	case headErr == nil, taken && (errors.Is(headErr, storage.ErrNotExist) || !inDoubt(err)):
		return fmt.Errorf("commit %q in %s: %w", name, s.uri, storage.ErrExist)
	case errors.Is(headErr, storage.ErrNotExist):
		return err
	}
	return fmt.Errorf("%w: look whether the object is there before anything is built on it: %w; %w", ErrUnknownOutcome, err, headErr)
}

// inDoubt says whether the server may have done what a failed call asked for.
func inDoubt(err error) bool {
	var failed *callError
	return errors.As(err, &failed) && failed.attempts.doubtful
}

// refuseTaken returns storage.ErrExist if a name is taken, for servers that cannot say so when it is written.
func (s *Store) refuseTaken(ctx context.Context, name string) error {
	_, err := s.head(ctx, "commit", name)
	switch {
	case err == nil:
		return fmt.Errorf("commit %q in %s: %w", name, s.uri, storage.ErrExist)
	case errors.Is(err, storage.ErrNotExist):
		return nil
	}
	return err
}

// CheckConditionalWrites returns an error if the server does not keep two writers from creating one name: some ignore the condition
// silently. It writes an object of a reserved name twice and deletes it: three requests, and the permissions for them.
func (s *Store) CheckConditionalWrites(ctx context.Context) error {
	name, id := storage.TempPrefix+uuid.NewString(), uuid.NewString()
	err := s.putObject(ctx, name, id, nil)
	if err == nil {
		if err = s.putObject(ctx, name, id, nil); err == nil && !s.options.UnsafeCreate {
			err = fmt.Errorf("two writers created one object in %s: %s", s.uri, noConditions)
		} else if isTaken(err) {
			err = nil
		}
	}
	ctx, cancel := brief(ctx)
	defer cancel()
	return errors.Join(err, s.remove(ctx, "remove the probe", name))
}

// ifNone is the condition that no object has the key.
func (s *Store) ifNone() *string {
	if s.options.UnsafeCreate {
		return nil
	}
	return aws.String("*")
}

// optional returns nil for "".
func optional(value string) *string {
	if value == "" {
		return nil
	}
	return &value
}

// checksum returns the CRC32C of data as S3 wants it.
func checksum(data []byte) *string {
	sum := crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli))
	return aws.String(base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, sum)))
}

// body is the body of an upload. It reports that bytes are taken.
type body struct {
	reader *bytes.Reader
	moved  func()
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	n, err := b.reader.Read(p)
	b.moved()
	return n, err
}

// Seek implements io.Seeker.
func (b *body) Seek(offset int64, whence int) (int64, error) { return b.reader.Seek(offset, whence) }
