package s3

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/firnlog/firn/storage"
)

// abortGrace is how long an aborted upload waits for the requests that are under way. What is cut off may still have its effect on the
// server, and leave parts of an upload that was aborted before.
const abortGrace = 3 * time.Second

// errStopped says that a part was not uploaded since the upload has failed or was aborted.
var errStopped = errors.New("the upload has ended")

// multipart is an object that is uploaded in parts. Its methods are called by the one goroutine that writes the object; the parts are
// uploaded by others.
type multipart struct {
	store *Store
	name  string
	id    string // what uploadMark says

	uploadID func() (string, error)          // begins the upload when it is first called
	upload   func(number int32, data []byte) // uploads one part
	stop     func()                          // lets no request be made any more
	stopped  <-chan struct{}                 // closed by stop
	cut      func()                          // ends the requests under way; called abortGrace after stop
	running  sync.WaitGroup

	count int32 // parts handed over
	mu    sync.Mutex
	done  []types.CompletedPart
	err   error // the first of a part
	messy bool  // the outcome of a request for a part is not known
}

// newMultipart prepares an upload; its first part begins it. ctx has no end; the upload's own end is commit or abort.
func (s *Store) newMultipart(ctx context.Context, name, id string) *multipart {
	soft, stop := context.WithCancel(ctx)
	hard, cut := context.WithCancel(ctx)
	m := &multipart{store: s, name: name, id: id, stop: stop, stopped: soft.Done(), cut: cut}
	context.AfterFunc(soft, func() { time.AfterFunc(abortGrace, cut) })
	m.uploadID = sync.OnceValues(func() (string, error) { return s.beginUpload(hard, name, id) })
	m.upload = func(number int32, data []byte) {
		part, err := s.uploadPart(hard, m, number, data)
		m.mu.Lock()
		defer m.mu.Unlock()
		if err != nil {
			m.err = cmp.Or(m.err, err)
			m.messy = m.messy || inDoubt(err)
			stop()
			return
		}
		m.done = append(m.done, part)
	}
	return m
}

// add hands over the next part, which belongs to the upload from now on. It waits while too many parts are under way.
func (m *multipart) add(data []byte) error {
	if m.count == maxParts {
		return fmt.Errorf("write %q in %s: more than %d parts of %d bytes; raise the size of parts",
			m.name, m.store.uri, maxParts, m.store.options.PartBytes)
	}
	select {
	case m.store.slots <- struct{}{}:
	case <-m.stopped:
		return cmp.Or(m.failure(), errStopped)
	}
	m.count++
	number := m.count
	m.running.Go(func() {
		defer func() { <-m.store.slots }()
		m.upload(number, data)
	})
	return m.failure()
}

// failure returns the error of the first part that failed.
func (m *multipart) failure() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.err
}

// commit uploads the last bytes, waits for all parts and completes the object.
func (m *multipart) commit(ctx context.Context, last []byte) error {
	defer m.cut()
	unhook := context.AfterFunc(ctx, m.stop)
	var err error
	if len(last) > 0 {
		err = m.add(last)
	}
	m.running.Wait()
	unhook()
	if ctxErr := ctx.Err(); ctxErr != nil {
		return errors.Join(fmt.Errorf("commit %q in %s: %w", m.name, m.store.uri, ctxErr), m.abort(ctx))
	}
	if err = cmp.Or(m.failure(), err); err != nil {
		return errors.Join(err, m.abort(ctx))
	}
	id, err := m.uploadID()
	if err != nil {
		return err
	}
	err = m.store.completeUpload(ctx, m, id)
	err = m.store.settle(ctx, m.name, m.id, err)
	if err == nil {
		return nil
	}
	return m.giveBack(ctx, err)
}

// giveBack aborts an upload whose completion failed. After that, what is not there will not appear; so if it could not be found out
// before whether the object is there, it can be now.
func (m *multipart) giveBack(ctx context.Context, failure error) error {
	err := m.abort(ctx)
	if err != nil || errors.Is(failure, storage.ErrExist) {
		return errors.Join(failure, err)
	}
	ctx, cancel := detached(ctx)
	defer cancel()
	out, headErr := m.store.head(ctx, "look for", m.name)
	switch {
	case headErr == nil && out.Metadata[uploadMark] == m.id:
		return nil
	case headErr == nil:
		return fmt.Errorf("commit %q in %s: %w", m.name, m.store.uri, storage.ErrExist)
	case errors.Is(headErr, storage.ErrNotExist) && errors.Is(failure, ErrUnknownOutcome):
		return fmt.Errorf("commit %q in %s: the upload was aborted, since it could not be completed in time", m.name, m.store.uri)
	}
	return failure
}

// abort ends the upload and removes its parts from the server, also if ctx has ended.
func (m *multipart) abort(ctx context.Context) error {
	defer m.cut()
	m.stop()
	m.running.Wait()
	if m.count == 0 {
		return nil
	}
	id, err := m.uploadID()
	if err != nil {
		return nil //nolint:nilerr // it was never begun, which those who care know
	}
	ctx, cancel := detached(ctx)
	defer cancel()
	err = m.store.abortUpload(ctx, m.name, id)
	if err == nil && m.messy {
		err = m.store.abortUpload(ctx, m.name, id) // for a part that came late
	}
	if err != nil && !isNoUpload(err) {
		return fmt.Errorf("the parts that were uploaded stay on the server until RemoveStale or a lifecycle rule removes them: %w", err)
	}
	return nil
}

// beginUpload asks the server for an upload.
func (s *Store) beginUpload(ctx context.Context, name, id string) (uploadID string, err error) {
	in := &s3.CreateMultipartUploadInput{
		Bucket:               &s.bucket,
		Key:                  s.key(name),
		ChecksumAlgorithm:    types.ChecksumAlgorithmCrc32c,
		Metadata:             map[string]string{uploadMark: id},
		ServerSideEncryption: types.ServerSideEncryption(s.options.SSE),
		SSEKMSKeyId:          optional(s.options.SSEKMSKeyID),
		StorageClass:         types.StorageClass(s.options.StorageClass),
	}
	err = s.do(ctx, call{op: "write", api: "CreateMultipartUpload", name: name}, func(ctx context.Context, _ func()) error {
		out, err := s.client.CreateMultipartUpload(ctx, in)
		if err == nil {
			uploadID = aws.ToString(out.UploadId)
		}
		return err
	})
	return uploadID, err
}

// uploadPart uploads one part.
func (s *Store) uploadPart(ctx context.Context, m *multipart, number int32, data []byte) (types.CompletedPart, error) {
	part := types.CompletedPart{PartNumber: &number, ChecksumCRC32C: checksum(data)}
	id, err := m.uploadID()
	if err != nil {
		return part, err
	}
	in := &s3.UploadPartInput{
		Bucket:         &s.bucket,
		Key:            s.key(m.name),
		UploadId:       &id,
		PartNumber:     &number,
		ContentLength:  aws.Int64(int64(len(data))),
		ChecksumCRC32C: part.ChecksumCRC32C,
	}
	tries := 0
	err = s.do(ctx, call{op: "write", api: "UploadPart", name: m.name}, func(ctx context.Context, moved func()) error {
		select {
		case <-m.stopped:
			return &permanentError{errStopped}
		default:
		}
		tries++
		in.Body = &body{reader: bytes.NewReader(data), moved: moved}
		out, err := s.client.UploadPart(ctx, in)
		if err == nil {
			part.ETag = out.ETag
			s.bytesWritten.Add(int64(len(data)))
		}
		return err
	})
	if err == nil && tries == 1 { // else a connection that was given up may still read the buffer
		s.recycle(data)
	}
	return part, err
}

// completeUpload makes the object of the parts.
func (s *Store) completeUpload(ctx context.Context, m *multipart, id string) error {
	slices.SortFunc(m.done, func(a, b types.CompletedPart) int { return cmp.Compare(*a.PartNumber, *b.PartNumber) })
	in := &s3.CompleteMultipartUploadInput{
		Bucket:          &s.bucket,
		Key:             s.key(m.name),
		UploadId:        &id,
		IfNoneMatch:     s.ifNone(),
		MultipartUpload: &types.CompletedMultipartUpload{Parts: m.done},
	}
	return s.do(ctx, call{op: "commit", api: "CompleteMultipartUpload", name: m.name}, func(ctx context.Context, _ func()) error {
		_, err := s.client.CompleteMultipartUpload(ctx, in)
		return err
	})
}

// abortUpload removes an upload and its parts.
func (s *Store) abortUpload(ctx context.Context, name, id string) error {
	return s.do(ctx, call{op: "abort", api: "AbortMultipartUpload", name: name}, func(ctx context.Context, _ func()) error {
		_, err := s.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &s.bucket, Key: s.key(name), UploadId: &id})
		return err
	})
}

// isNoUpload says whether an error is that there is no such upload.
func isNoUpload(err error) bool { return codeOf(err) == "NoSuchUpload" }

// partBuffer returns an empty buffer for a part.
func (s *Store) partBuffer() []byte {
	if pooled, ok := s.parts.Get().(*[]byte); ok {
		return (*pooled)[:0]
	}
	return make([]byte, 0, s.options.PartBytes)
}

// recycle takes back the buffer of a part.
func (s *Store) recycle(data []byte) {
	if cap(data) == s.options.PartBytes {
		data = data[:0]
		s.parts.Put(&data)
	}
}
