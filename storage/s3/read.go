package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"golang.org/x/sync/errgroup"

	"github.com/firnlog/firn/storage"
)

// Reads of more than splitAbove bytes are made as several requests at once, of at least splitLeast bytes each.
const (
	splitAbove = 16 << 20
	splitLeast = 8 << 20
)

// errReplaced says that an object was deleted and another of its name created in the middle of a read.
var errReplaced = errors.New("the object was replaced while it was read")

// Stat implements storage.Store. The time is in whole seconds. It takes one request; the first answer in a store's life that an object
// does not exist takes a second one, which asks for the bucket.
func (s *Store) Stat(ctx context.Context, name string) (storage.Info, error) {
	if err := s.check(ctx, "stat", name); err != nil {
		return storage.Info{}, err
	}
	out, err := s.head(ctx, "stat", name)
	if err != nil {
		return storage.Info{}, s.absent(ctx, err)
	}
	return storage.Info{Name: name, Size: aws.ToInt64(out.ContentLength), ModTime: aws.ToTime(out.LastModified).Truncate(time.Second)}, nil
}

// head asks for an object's properties.
func (s *Store) head(ctx context.Context, op, name string) (out *s3.HeadObjectOutput, err error) {
	err = s.do(ctx, call{op: op, api: "HeadObject", name: name}, func(ctx context.Context, _ func()) error {
		out, err = s.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &s.bucket, Key: s.key(name)})
		return err
	})
	return out, err
}

// absent turns the answer to HEAD that there is no object into one that there is no bucket, if that is so. HEAD does not say which.
func (s *Store) absent(ctx context.Context, err error) error {
	if !errors.Is(err, storage.ErrNotExist) || s.bucketSeen.Load() {
		return err
	}
	bucketErr := s.do(ctx, call{op: "look for the bucket", api: "HeadBucket"}, func(ctx context.Context, _ func()) error {
		_, err := s.client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &s.bucket})
		return err
	})
	if errors.Is(bucketErr, storage.ErrNotExist) {
		return s.noBucket()
	}
	return err // it exists, or we may not know
}

// noBucket is the error that there is no bucket. It is not storage.ErrNotExist, which would be taken for an empty lake.
func (s *Store) noBucket() error {
	return fmt.Errorf("%s: the bucket %q does not exist; %s", s.uri, s.bucket, hints["NoSuchBucket"])
}

// ReadAt implements storage.Store. Up to 16 MiB are one request; larger reads are cut into Options.ReadParallel or fewer.
func (s *Store) ReadAt(ctx context.Context, name string, p []byte, off int64) error {
	if err := s.check(ctx, "read", name); err != nil {
		return err
	}
	if off < 0 || int64(len(p)) > math.MaxInt64-off {
		return fmt.Errorf("read %q in %s: %w: %d bytes at %d", name, s.uri, storage.ErrRange, len(p), off)
	}
	if len(p) == 0 {
		return s.readNothing(ctx, name, off)
	}
	if len(p) > splitAbove && s.options.ReadParallel > 1 {
		return s.readSplit(ctx, name, p, off)
	}
	f := fetch{p: p, off: off}
	return s.fetch(ctx, name, &f)
}

// readNothing reads no bytes at off: S3 has no empty ranges.
func (s *Store) readNothing(ctx context.Context, name string, off int64) error {
	info, err := s.Stat(ctx, name)
	if err != nil {
		return err
	}
	if off > info.Size {
		return fmt.Errorf("read %q in %s: %w: %d of %d bytes", name, s.uri, storage.ErrRange, off, info.Size)
	}
	return nil
}

// readSplit reads a large range with several requests at once.
func (s *Store) readSplit(ctx context.Context, name string, p []byte, off int64) error {
	pieces := min(s.options.ReadParallel, len(p)/splitLeast)
	length := (len(p) + pieces - 1) / pieces
	var err error
	for range s.options.MaxAttempts {
		fetches := make([]fetch, pieces)
		group, groupCtx := errgroup.WithContext(ctx)
		for i := range fetches {
			f := &fetches[i]
			f.p, f.off = p[i*length:min((i+1)*length, len(p))], off+int64(i*length)
			group.Go(func() error { return s.fetch(groupCtx, name, f) })
		}
		if err := group.Wait(); err != nil {
			return err
		}
		same := true
		for _, f := range fetches {
			same = same && f.etag == fetches[0].etag
		}
		if same {
			return nil
		}
		err = fmt.Errorf("read %q in %s: %w", name, s.uri, errReplaced)
	}
	return err
}

// ReadTail implements storage.Store. It takes one request, or two for an empty object on a server that does not serve its range.
func (s *Store) ReadTail(ctx context.Context, name string, p []byte) (n int, size int64, err error) {
	if err := s.check(ctx, "read", name); err != nil {
		return 0, 0, err
	}
	if len(p) > 0 {
		f := fetch{p: p, suffix: true}
		err = s.fetch(ctx, name, &f)
		if err == nil || !errors.Is(err, storage.ErrRange) {
			return f.got, f.size, err
		}
		// Only an empty object has no last bytes. Make sure.
	}
	info, statErr := s.Stat(ctx, name)
	if statErr != nil {
		return 0, 0, statErr
	}
	if err != nil && info.Size > 0 {
		return 0, 0, err
	}
	return 0, info.Size, nil
}

// fetch is a read of one range, of which a part may have been received.
type fetch struct {
	p      []byte // to be filled
	off    int64  // where p begins in the object
	suffix bool   // off is not known yet: p is for the object's last bytes

	got  int    // bytes received
	etag string // of the object, once it is known
	size int64  // of the object, once it is known
}

// fetch fills f.p, resuming what breaks off.
func (s *Store) fetch(ctx context.Context, name string, f *fetch) error {
	c := call{op: "read", api: "GetObject", name: name, got: &f.got}
	return s.do(ctx, c, func(ctx context.Context, moved func()) error {
		in := &s3.GetObjectInput{Bucket: &s.bucket, Key: s.key(name), Range: aws.String(f.header())}
		if f.got > 0 {
			in.IfMatch = &f.etag
		}
		out, err := s.client.GetObject(ctx, in)
		if err != nil {
			if f.got > 0 && (isTaken(err) || isNoKey(err)) {
				f.got = 0
				return errReplaced
			}
			return err
		}
		moved()
		defer func() { _ = out.Body.Close() }()
		if err := f.place(out); err != nil {
			return err
		}
		return s.receive(out.Body, f, moved)
	})
}

// header returns the Range header for what is still missing.
func (f *fetch) header() string {
	if f.suffix {
		return "bytes=-" + strconv.Itoa(len(f.p))
	}
	return fmt.Sprintf("bytes=%d-%d", f.off+int64(f.got), f.off+int64(len(f.p))-1)
}

// place checks that an answer is about the range that was asked for.
func (f *fetch) place(out *s3.GetObjectOutput) error {
	var first, last, size int64
	switch {
	case f.suffix && aws.ToInt64(out.ContentLength) == 0: // an empty object, which some servers serve as "bytes 0--1/0"
		f.p, f.off, f.suffix = nil, 0, false
		return nil
	case out.ContentRange != nil:
		var ok bool
		if first, last, size, ok = parseContentRange(*out.ContentRange); !ok {
			return &permanentError{fmt.Errorf("the server sent a range that cannot be understood: %q", *out.ContentRange)}
		}
	default: // the whole object: all of it was asked for, or the server knows no ranges
		size = aws.ToInt64(out.ContentLength)
		first, last = 0, size-1
	}
	if f.suffix {
		if first != max(0, size-int64(len(f.p))) || last != size-1 {
			return noRanges("bytes %d-%d of %d when asked for the last %d", first, last, size, len(f.p))
		}
		f.off, f.p, f.suffix = first, f.p[:last-first+1], false
	}
	if first != f.off+int64(f.got) {
		return noRanges("bytes from %d when asked for those from %d", first, f.off+int64(f.got))
	}
	if last < f.off+int64(len(f.p))-1 {
		return &permanentError{fmt.Errorf("%w: %d bytes at %d of %d", storage.ErrRange, len(f.p), f.off, size)}
	}
	f.size, f.etag = size, aws.ToString(out.ETag)
	return nil
}

// noRanges is the error of a server that sent something else than what it was asked for.
func noRanges(format string, args ...any) error {
	return &permanentError{fmt.Errorf("the server does not support ranges: it sent "+format, args...)}
}

// receive reads a body into the rest of f.p.
func (s *Store) receive(body io.Reader, f *fetch, moved func()) error {
	for f.got < len(f.p) {
		n, err := body.Read(f.p[f.got:])
		f.got += n
		s.bytesRead.Add(int64(n))
		switch {
		case f.got == len(f.p):
		case err == io.EOF:
			return io.ErrUnexpectedEOF
		case err != nil:
			return err
		}
		moved()
	}
	_, _ = body.Read(make([]byte, 1)) // the end, so that the connection can be used again
	return nil
}

// parseContentRange reads "bytes 0-9/100".
func parseContentRange(header string) (first, last, size int64, ok bool) {
	span, total, hasTotal := strings.Cut(strings.TrimPrefix(header, "bytes "), "/")
	from, to, hasSpan := strings.Cut(span, "-")
	first, err1 := strconv.ParseInt(from, 10, 64)
	last, err2 := strconv.ParseInt(to, 10, 64)
	size, err3 := strconv.ParseInt(total, 10, 64)
	ok = hasTotal && hasSpan && err1 == nil && err2 == nil && err3 == nil && first >= 0 && first <= last && last < size
	return first, last, size, ok
}
