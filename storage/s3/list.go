package s3

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/firnlog/firn/storage"
)

// List implements storage.Store. It takes one request for each 1000 objects. Keys that are not valid object names, such as those with a
// slash at the end that some tools make for directories, are left out.
func (s *Store) List(ctx context.Context, prefix string) iter.Seq2[storage.Info, error] {
	return func(yield func(storage.Info, error) bool) {
		if !mayStartName(prefix) {
			return
		}
		last := ""
		for page, err := range s.pages(ctx, prefix) {
			if err != nil {
				yield(storage.Info{}, err)
				return
			}
			for _, object := range page.Contents {
				info, ok, err := s.listed(page, object)
				switch {
				case err != nil:
				case !ok || !strings.HasPrefix(info.Name, prefix):
					continue
				case info.Name <= last:
					err = fmt.Errorf("list %q in %s: the server lists %q after %q, not in byte order: such buckets cannot be used", prefix, s.uri, info.Name, last)
				}
				if err != nil {
					yield(storage.Info{}, err)
					return
				}
				last = info.Name
				if !yield(info, nil) {
					return
				}
			}
		}
	}
}

// mayStartName says whether any valid name starts with prefix.
func mayStartName(prefix string) bool {
	dir := ""
	if slash := strings.LastIndexByte(prefix, '/'); slash >= 0 {
		dir = prefix[:slash]
		if storage.CheckName(dir) != nil {
			return false
		}
	}
	return utf8.ValidString(prefix) && !strings.ContainsRune(prefix, 0)
}

// pages yields the pages of a listing, which may hold more than what starts with prefix.
func (s *Store) pages(ctx context.Context, prefix string) iter.Seq2[*s3.ListObjectsV2Output, error] {
	return func(yield func(*s3.ListObjectsV2Output, error) bool) {
		if last := prefix[strings.LastIndexByte(prefix, '/')+1:]; last == "." || last == ".." {
			prefix = strings.TrimSuffix(prefix, last) // MinIO refuses such a prefix, although names may start with it
		}
		in := &s3.ListObjectsV2Input{Bucket: &s.bucket, Prefix: s.key(prefix), EncodingType: types.EncodingTypeUrl}
		for {
			var page *s3.ListObjectsV2Output
			err := s.do(ctx, call{op: "list", api: "ListObjectsV2", name: prefix}, func(ctx context.Context, _ func()) (err error) {
				page, err = s.client.ListObjectsV2(ctx, in)
				return err
			})
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(page, nil) || !aws.ToBool(page.IsTruncated) {
				return
			}
			if aws.ToString(page.NextContinuationToken) == "" {
				yield(nil, fmt.Errorf("list %q in %s: the server says that there is more, but not how to get it", prefix, s.uri))
				return
			}
			in.ContinuationToken = page.NextContinuationToken
		}
	}
}

// listed returns what a listing says of one object; false if it is none of the store's.
func (s *Store) listed(page *s3.ListObjectsV2Output, object types.Object) (storage.Info, bool, error) {
	key := aws.ToString(object.Key)
	if page.EncodingType == types.EncodingTypeUrl {
		decoded, err := url.QueryUnescape(key)
		if err != nil {
			return storage.Info{}, false, fmt.Errorf("list in %s: the server sent the key %q: %w", s.uri, key, err)
		}
		key = decoded
	}
	name, ok := strings.CutPrefix(key, s.prefix)
	if !ok || storage.CheckName(name) != nil {
		return storage.Info{}, false, nil
	}
	return storage.Info{Name: name, Size: aws.ToInt64(object.Size), ModTime: aws.ToTime(object.LastModified).Truncate(time.Second)}, true, nil
}

// Delete implements storage.Store.
func (s *Store) Delete(ctx context.Context, name string) error {
	if err := s.check(ctx, "delete", name); err != nil {
		return err
	}
	err := s.remove(ctx, "delete", name)
	if errors.Is(err, storage.ErrNotExist) {
		return nil
	}
	return err
}

// remove deletes one object, of any name.
func (s *Store) remove(ctx context.Context, op, name string) error {
	return s.do(ctx, call{op: op, api: "DeleteObject", name: name}, func(ctx context.Context, _ func()) error {
		_, err := s.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.bucket, Key: s.key(name)})
		return err
	})
}

// RemoveStale aborts the uploads below the store's prefix that were begun longer than olderThan ago and neither completed nor aborted,
// and so frees the room of their parts. It returns how many. An upload still at work fails, so allow hours.
func (s *Store) RemoveStale(ctx context.Context, olderThan time.Duration) (removed int, err error) {
	limit := s.options.Now().Add(-olderThan)
	in := &s3.ListMultipartUploadsInput{Bucket: &s.bucket, Prefix: &s.prefix}
	for {
		var page *s3.ListMultipartUploadsOutput
		err := s.do(ctx, call{op: "list the uploads", api: "ListMultipartUploads"}, func(ctx context.Context, _ func()) (err error) {
			page, err = s.client.ListMultipartUploads(ctx, in)
			return err
		})
		if err != nil {
			return removed, err
		}
		for _, upload := range page.Uploads {
			name, ok := strings.CutPrefix(aws.ToString(upload.Key), s.prefix)
			if !ok || aws.ToTime(upload.Initiated).After(limit) {
				continue
			}
			if err := s.abortUpload(ctx, name, aws.ToString(upload.UploadId)); err != nil && !isNoUpload(err) {
				return removed, err
			}
			removed++
		}
		if !aws.ToBool(page.IsTruncated) {
			return removed, nil
		}
		in.KeyMarker, in.UploadIdMarker = page.NextKeyMarker, page.NextUploadIdMarker
	}
}
