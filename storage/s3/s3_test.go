package s3

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/storage"
)

// isolate keeps the environment and the files of the AWS tools out of a test.
func isolate(t *testing.T) {
	t.Helper()
	for _, name := range []string{
		"AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_SESSION_TOKEN", "AWS_MAX_ATTEMPTS",
	} {
		t.Setenv(name, "")
		require.NoError(t, os.Unsetenv(name))
	}
	t.Setenv("AWS_CONFIG_FILE", os.DevNull)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", os.DevNull)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_ACCESS_KEY_ID", "key")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
}

// answering opens a store on a server that is a function.
func answering(t *testing.T, opts Options, handler http.HandlerFunc) *Store {
	t.Helper()
	isolate(t)
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	opts.Endpoint = server.URL
	return openAt(t, "s3://bucket/lake", opts)
}

// fail answers with an S3 error.
func fail(w http.ResponseWriter, status int, code, message string) {
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `<?xml version="1.0"?><Error><Code>%s</Code><Message>%s</Message><RequestId>R1</RequestId></Error>`, code, message)
}

func TestParseURI(t *testing.T) {
	for uri, want := range map[string][3]string{
		"s3://bucket":             {"s3", "bucket", ""},
		"s3://bucket/":            {"s3", "bucket", ""},
		"s3://bucket/lake":        {"s3", "bucket", "lake"},
		"s3://bucket/lake/a b/":   {"s3", "bucket", "lake/a b"},
		"s3a://my.bucket/lake?#%": {"s3a", "my.bucket", "lake?#%"},
	} {
		scheme, bucket, prefix, err := parseURI(uri)
		require.NoError(t, err, uri)
		require.Equal(t, want, [3]string{scheme, bucket, prefix}, uri)
	}
	for _, uri := range []string{
		"", "bucket", "/bucket", "s3:bucket", "s3://", "s3:///lake", "http://bucket/lake", "s3://bucket//lake", "s3://bucket/../x",
		"s3://user@bucket/x", "s3://host:80/x",
	} {
		_, _, _, err := parseURI(uri)
		require.Error(t, err, uri)
		_, err = Open(t.Context(), uri, Options{})
		require.Error(t, err, uri)
	}
}

func TestEndpoints(t *testing.T) {
	for endpoint, want := range map[string]string{
		"https://s3.example.com":  "https://s3.example.com",
		"s3.example.com":          "https://s3.example.com",
		"s3.example.com:9000":     "https://s3.example.com:9000",
		"localhost:9000":          "http://localhost:9000",
		"10.0.0.1:9000":           "http://10.0.0.1:9000",
		"http://[::1]:9000":       "http://[::1]:9000",
		"http://minio:9000/s3/x/": "http://minio:9000/s3/x/",
	} {
		u, err := normalEndpoint(endpoint)
		require.NoError(t, err, endpoint)
		require.Equal(t, want, u.String())
	}
	for _, endpoint := range []string{"http://", "ftp://host", "http://host?x=y", "http://a:b@host", "http://host:x"} {
		_, err := normalEndpoint(endpoint)
		require.Error(t, err, endpoint)
	}
}

func TestPathStyle(t *testing.T) {
	for _, c := range []struct {
		style    PathStyle
		endpoint string
		bucket   string
		want     bool
	}{
		{PathStyleAuto, "", "bucket", false},
		{PathStyleAuto, "", "my.bucket", true}, // the certificate is for one label only
		{PathStyleAuto, "", "My_Bucket", true},
		{PathStyleAuto, "http://127.0.0.1:9000", "bucket", true},
		{PathStyleAuto, "http://[::1]:9000", "bucket", true},
		{PathStyleAuto, "http://localhost", "bucket", true},
		{PathStyleAuto, "http://minio:9000", "bucket", true},
		{PathStyleAuto, "https://s3.example.com", "bucket", false},
		{PathStyleAuto, "https://s3.example.com", "my.bucket", true},
		{PathStyleAuto, "http://s3.example.com", "my.bucket", false},
		{PathStyleAuto, "https://s3.example.com", "-x", true},
		{PathStyleOn, "", "bucket", true},
		{PathStyleOff, "http://127.0.0.1", "bucket", false},
	} {
		var endpoint *url.URL
		if c.endpoint != "" {
			var err error
			endpoint, err = normalEndpoint(c.endpoint)
			require.NoError(t, err)
		}
		require.Equal(t, c.want, usePathStyle(c.style, endpoint, c.bucket), "%+v", c)
	}
}

func TestOptions(t *testing.T) {
	isolate(t)
	for _, bad := range []Options{
		{PathStyle: "maybe"}, {AccessKeyID: "a"}, {SecretAccessKey: "a"}, {SessionToken: "a"}, {Anonymous: true, AccessKeyID: "a", SecretAccessKey: "b"},
		{SSE: "rot13"}, {SSEKMSKeyID: "k"}, {PartBytes: 1}, {PartBytes: 6 << 30}, {RequestTimeout: -1}, {MaxAttempts: -1}, {Endpoint: "ftp://x"},
		{Profile: "no such profile"},
	} {
		_, err := Open(t.Context(), "s3://bucket/lake", bad)
		require.ErrorContains(t, err, "s3://bucket/lake", "%+v", bad)
	}
	s := openAt(t, "s3://bucket/lake/", Options{})
	require.Equal(t, "s3://bucket/lake", s.URI(""))
	require.Equal(t, "s3://bucket/lake/a b", s.URI("a b"))
	require.Equal(t, "us-east-1", s.client.Options().Region)
	require.Nil(t, s.client.Options().BaseEndpoint)
	require.False(t, s.client.Options().UsePathStyle)
	require.Equal(t, defaultAttempts, s.options.MaxAttempts)
	require.True(t, s.Traits().Remote)

	t.Setenv("AWS_REGION", "eu-central-1")
	t.Setenv("AWS_MAX_ATTEMPTS", "4")
	t.Setenv("AWS_ENDPOINT_URL", "http://10.0.0.1:9000")
	s = openAt(t, "s3a://bucket", Options{})
	require.Equal(t, "s3a://bucket", s.URI(""))
	require.Equal(t, "eu-central-1", s.client.Options().Region)
	require.Equal(t, "http://10.0.0.1:9000", *s.client.Options().BaseEndpoint)
	require.True(t, s.client.Options().UsePathStyle)
	require.Equal(t, 4, s.options.MaxAttempts)

	t.Setenv("AWS_ENDPOINT_URL_S3", "https://s3.example.com")
	s = openAt(t, "s3://bucket", Options{Region: "x-1"})
	require.Equal(t, "x-1", s.client.Options().Region)
	require.Equal(t, "https://s3.example.com", *s.client.Options().BaseEndpoint)
	require.False(t, s.client.Options().UsePathStyle)
	s = openAt(t, "s3://bucket", Options{Endpoint: "localhost:1"})
	require.Equal(t, "http://localhost:1", *s.client.Options().BaseEndpoint)
}

func TestNoCredentials(t *testing.T) {
	isolate(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	s := openAt(t, "s3://bucket", Options{Endpoint: "localhost:1"})
	_, err := s.Stat(t.Context(), "x")
	require.ErrorContains(t, err, "set AWS_ACCESS_KEY_ID")
	require.EqualValues(t, 1, s.Counts().Requests)
}

func TestContentRange(t *testing.T) {
	first, last, size, ok := parseContentRange("bytes 5-9/100")
	require.True(t, ok)
	require.Equal(t, [3]int64{5, 9, 100}, [3]int64{first, last, size})
	for _, bad := range []string{"", "bytes", "bytes */100", "bytes 5-9/*", "bytes 9-5/100", "bytes 5-100/100", "bytes -1-5/9",
		"bytes 0--1/0", "x 0-1/2",
	} {
		_, _, _, ok := parseContentRange(bad)
		require.False(t, ok, bad)
	}
}

// TestSplit checks how large reads are cut, and that their pieces are of one object.
func TestSplit(t *testing.T) {
	data := pattern(splitAbove+1000, 1)
	var requests, etags atomic.Int64
	var inFlight, most atomic.Int64
	changing := int64(0)
	s := answering(t, Options{ReadParallel: 3, MaxAttempts: 3}, func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		now := inFlight.Add(1)
		defer inFlight.Add(-1)
		for seen := most.Load(); now > seen && !most.CompareAndSwap(seen, now); seen = most.Load() {
		}
		w.Header().Set("ETag", `"etag"`)
		if etags.Add(1) <= changing {
			w.Header().Set("ETag", `"older"`)
		}
		http.ServeContent(w, r, "", time.Unix(1, 0), strings.NewReader(string(data)))
	})
	back := make([]byte, len(data)-10)
	require.NoError(t, s.ReadAt(t.Context(), "x", back, 5))
	require.Equal(t, data[5:len(data)-5], back)
	require.EqualValues(t, 2, requests.Load(), "pieces are at least %d bytes", splitLeast)
	require.NoError(t, s.ReadAt(t.Context(), "x", back[:splitAbove], 5))
	require.EqualValues(t, 3, requests.Load())

	etags.Store(0)
	changing = 1
	clear(back)
	require.NoError(t, s.ReadAt(t.Context(), "x", back, 5))
	require.Equal(t, data[5:len(data)-5], back)
	require.EqualValues(t, 7, requests.Load(), "read again, since the pieces were of two objects")
	require.ErrorIs(t, s.ReadAt(t.Context(), "x", make([]byte, len(data)+1), 0), storage.ErrRange)
}

// TestNoRanges checks that a server that ignores ranges is not believed.
func TestNoRanges(t *testing.T) {
	var requests atomic.Int64
	s := answering(t, Options{}, func(w http.ResponseWriter, _ *http.Request) {
		requests.Add(1)
		_, _ = w.Write([]byte("0123456789"))
	})
	p := make([]byte, 5)
	require.ErrorContains(t, s.ReadAt(t.Context(), "x", p, 5), "does not support ranges")
	_, _, err := s.ReadTail(t.Context(), "x", p)
	require.ErrorContains(t, err, "does not support ranges")
	require.EqualValues(t, 2, requests.Load())
	p = make([]byte, 20)
	n, size, err := s.ReadTail(t.Context(), "x", p)
	require.NoError(t, err)
	require.EqualValues(t, 10, size)
	require.Equal(t, "0123456789", string(p[:n]))
	require.ErrorIs(t, s.ReadAt(t.Context(), "x", p, 0), storage.ErrRange)
	require.NoError(t, s.ReadAt(t.Context(), "x", p[:10], 0))
}

// TestHints checks what errors say to do, and that those that will come again are not repeated.
func TestHints(t *testing.T) {
	for _, c := range []struct {
		status        int
		code, message string
		header        string // X-Amz-Bucket-Region
		want          []string
	}{
		{301, "PermanentRedirect", "The bucket is elsewhere", "eu-west-3", []string{"301", "PermanentRedirect", "in region eu-west-3", "AWS_REGION"}},
		{400, "AuthorizationHeaderMalformed", "the region 'us-east-1' is wrong; expecting 'eu-west-1'", "", []string{"in region eu-west-1"}},
		{403, "AccessDenied", "Access Denied", "", []string{"403 AccessDenied", "s3:GetObject"}},
		{404, "NoSuchBucket", "no bucket", "", []string{"create the bucket"}},
		{403, "InvalidObjectState", "archived", "", []string{"restore"}},
		{418, "", "", "", []string{"418"}},
		{501, "NotImplemented", "A header you provided implies functionality that is not implemented", "", []string{"501", "UnsafeCreate"}},
	} {
		var requests atomic.Int64
		s := answering(t, Options{}, func(w http.ResponseWriter, _ *http.Request) {
			requests.Add(1)
			if c.header != "" {
				w.Header().Set("X-Amz-Bucket-Region", c.header)
			}
			fail(w, c.status, c.code, c.message)
		})
		err := s.ReadAt(t.Context(), "dir/x", make([]byte, 1), 0)
		for _, want := range append(c.want, `read "dir/x" in s3://bucket/lake`, "GetObject") {
			require.ErrorContains(t, err, want)
		}
		require.NotErrorIs(t, err, storage.ErrNotExist)
		require.EqualValues(t, 1, requests.Load(), c.code)
	}
	s := answering(t, Options{}, func(w http.ResponseWriter, _ *http.Request) { fail(w, 404, "NoSuchKey", "no key") })
	err := s.ReadAt(t.Context(), "dir/x", make([]byte, 1), 0)
	require.ErrorIs(t, err, storage.ErrNotExist)
	require.ErrorContains(t, err, `read "dir/x" in s3://bucket/lake: object does not exist`)
	err = s.ReadAt(t.Context(), strings.Repeat("x", 1020), make([]byte, 1), 0)
	require.ErrorIs(t, err, storage.ErrInvalidName)
}

// TestUnreachable checks the errors of servers that are not there.
func TestUnreachable(t *testing.T) {
	isolate(t)
	s := openAt(t, "s3://bucket", Options{Endpoint: "http://127.0.0.1:1", MaxAttempts: 3})
	_, err := s.Stat(t.Context(), "x")
	require.ErrorContains(t, err, "after 3 attempts")
	require.ErrorContains(t, err, "start it, or correct the endpoint")
	s = openAt(t, "s3://bucket", Options{Endpoint: "https://firn.invalid"})
	_, err = s.Stat(t.Context(), "x")
	require.ErrorContains(t, err, "check the endpoint")
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	s = openAt(t, "s3://bucket", Options{Endpoint: strings.Replace(plain.URL, "http:", "https:", 1)})
	_, err = s.Stat(t.Context(), "x")
	require.ErrorContains(t, err, "HTTP response to HTTPS client")
	require.EqualValues(t, 1, s.Counts().Requests)
}

// TestPauses checks that pauses grow, differ, are bounded, and end with the context.
func TestPauses(t *testing.T) {
	isolate(t)
	s := openAt(t, "s3://bucket", Options{})
	s.firstPause = 100 * time.Millisecond
	for made := 1; made < 100; made++ {
		full := min(s.firstPause<<min(made-1, 16), longestPause)
		for range 20 {
			pause := s.pause(made)
			require.GreaterOrEqual(t, pause, full/2)
			require.LessOrEqual(t, pause, full)
		}
	}
	var requests atomic.Int64
	s = answering(t, Options{}, func(w http.ResponseWriter, _ *http.Request) {
		if requests.Add(1) == 1 {
			w.Header().Set("Retry-After", "1")
		}
		fail(w, 503, "SlowDown", "")
	})
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err := s.Stat(ctx, "x")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.LessOrEqual(t, requests.Load(), int64(1), "Retry-After is kept")
}

// TestConditionIgnored checks that a server is found out that lets two writers create one name.
func TestConditionIgnored(t *testing.T) {
	var keys, conditions atomic.Int64
	handler := func(w http.ResponseWriter, r *http.Request) {
		switch r.Method {
		case http.MethodPut:
			keys.Add(1)
			if r.Header.Get("If-None-Match") != "" {
				conditions.Add(1)
			}
		case http.MethodDelete:
			keys.Store(0)
			w.WriteHeader(http.StatusNoContent)
		case http.MethodHead:
			if keys.Load() == 0 {
				w.WriteHeader(http.StatusNotFound)
			}
		}
	}
	s := answering(t, Options{}, handler)
	require.ErrorContains(t, s.CheckConditionalWrites(t.Context()), "UnsafeCreate")
	require.Zero(t, keys.Load(), "the probe was deleted")
	require.EqualValues(t, 2, conditions.Load())
	s = answering(t, Options{UnsafeCreate: true}, handler)
	require.NoError(t, s.CheckConditionalWrites(t.Context()))
	require.NoError(t, storage.WriteObject(t.Context(), s, "x", []byte("x")))
	require.ErrorIs(t, storage.WriteObject(t.Context(), s, "x", []byte("x")), storage.ErrExist)
	require.EqualValues(t, 2, conditions.Load(), "no condition was sent")
}

// TestHeaders checks what new objects are asked to be.
func TestHeaders(t *testing.T) {
	var header http.Header
	s := answering(t, Options{SSE: "aws:kms", SSEKMSKeyID: "k1", StorageClass: "STANDARD_IA", AccessKeyID: "a", SecretAccessKey: "b", SessionToken: "c"},
		func(_ http.ResponseWriter, r *http.Request) { header = r.Header })
	require.NoError(t, storage.WriteObject(t.Context(), s, "x", []byte("123456789")))
	require.Equal(t, "aws:kms", header.Get("X-Amz-Server-Side-Encryption"))
	require.Equal(t, "k1", header.Get("X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id"))
	require.Equal(t, "STANDARD_IA", header.Get("X-Amz-Storage-Class"))
	require.Equal(t, "*", header.Get("If-None-Match"))
	require.Equal(t, "4waSgw==", header.Get("X-Amz-Checksum-Crc32c"))
	require.NotEmpty(t, header.Get("X-Amz-Meta-Firn-Upload"))
	require.Contains(t, header.Get("Authorization"), "Credential=a/")
	require.Equal(t, "c", header.Get("X-Amz-Security-Token"))
	require.Equal(t, Counts{Requests: 1, BytesWritten: 9}, s.Counts())
	s = answering(t, Options{Anonymous: true}, func(_ http.ResponseWriter, r *http.Request) { header = r.Header })
	require.NoError(t, storage.WriteObject(t.Context(), s, "x", nil))
	require.Empty(t, header.Get("Authorization"))
	require.Empty(t, header.Get("X-Amz-Server-Side-Encryption"))
}

// TestListing checks pages, encoded keys, foreign keys and servers without order.
func TestListing(t *testing.T) {
	page := func(keys []string, next string) string {
		var b strings.Builder
		b.WriteString(`<ListBucketResult><EncodingType>url</EncodingType>`)
		for _, key := range keys {
			fmt.Fprintf(&b, `<Contents><Key>%s</Key><Size>3</Size><LastModified>2026-11-22T10:20:30.456Z</LastModified></Contents>`, key)
		}
		if next != "" {
			fmt.Fprintf(&b, `<IsTruncated>true</IsTruncated><NextContinuationToken>%s</NextContinuationToken>`, next)
		}
		return b.String() + `</ListBucketResult>`
	}
	bad := false
	s := answering(t, Options{}, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case bad:
			_, _ = w.Write([]byte(page([]string{"lake/b", "lake/a"}, "")))
		case r.URL.Query().Get("continuation-token") == "t1":
			_, _ = w.Write([]byte(page([]string{"lake/b%2Bc%01+d", "lake/c"}, "")))
		default:
			_, _ = w.Write([]byte(page([]string{"lake/", "lake/a", "lake/a/", "lake/a/.firn-tmp-1", "lake/a//b", "lakes/x"}, "t1")))
		}
	})
	var names []string
	for info, err := range s.List(t.Context(), "") {
		require.NoError(t, err)
		require.EqualValues(t, 3, info.Size)
		require.Equal(t, time.Date(2026, 11, 22, 10, 20, 30, 0, time.UTC), info.ModTime.UTC())
		names = append(names, info.Name)
	}
	require.Equal(t, []string{"a", "b+c\x01 d", "c"}, names)
	bad = true
	var last error
	for _, last = range s.List(t.Context(), "") {
	}
	require.ErrorContains(t, last, "not in byte order")
}

func TestVerdicts(t *testing.T) {
	require.True(t, verdictOf(errStalled).passing)
	require.True(t, verdictOf(errReplaced).passing)
	require.False(t, verdictOf(&permanentError{errors.New("x")}).passing)
	require.True(t, verdictOf(&credentialsError{errors.New("x")}).noCredentials)
}
