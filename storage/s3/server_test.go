package s3

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/firnlog/firn/internal/faultproxy"
	"github.com/firnlog/firn/internal/testservers"
	"github.com/firnlog/firn/storage"
	"github.com/firnlog/firn/storage/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// servers are the S3 servers that tests run against, with their settings.
var servers = map[string][]string{"versitygw": nil, "minio": {"S3_SERVER=minio"}}

// onServers runs a test on each server, and on a small imitation, which needs none.
func onServers(t *testing.T, test func(t *testing.T, server *testservers.Server)) {
	t.Run("imitation", func(t *testing.T) {
		server := httptest.NewServer(newImitation())
		defer server.Close()
		test(t, &testservers.Server{Vars: map[string]string{
			"S3_ENDPOINT": server.URL, "S3_BUCKET": "test", "IMITATION": "1",
			"AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret",
		}})
	})
	onRealServers(t, test)
}

// onRealServers runs a test on each server.
func onRealServers(t *testing.T, test func(t *testing.T, server *testservers.Server)) {
	if !testservers.Enabled() {
		return
	}
	for name, settings := range servers {
		t.Run(name, func(t *testing.T) { test(t, testservers.Shared(t, "s3", settings...)) })
	}
}

// settings are the options for a server, reached at endpoint ("" is directly).
func settings(server *testservers.Server, endpoint string) Options {
	if endpoint == "" {
		endpoint = server.Vars["S3_ENDPOINT"]
	}
	return Options{
		Endpoint:        endpoint,
		Region:          server.Vars["AWS_REGION"],
		AccessKeyID:     server.Vars["AWS_ACCESS_KEY_ID"],
		SecretAccessKey: server.Vars["AWS_SECRET_ACCESS_KEY"],
		RequestTimeout:  5 * time.Second,
	}
}

// open opens a store below a fresh prefix, with short pauses, and removes what is in it when the test ends.
func open(t testing.TB, server *testservers.Server, opts Options) *Store {
	t.Helper()
	s := openAt(t, "s3://"+server.Vars["S3_BUCKET"]+"/firn-test/"+uuid.NewString(), opts)
	if server.Vars["IMITATION"] != "" {
		s.options.PartBytes = 64 << 10 // servers do not take parts as small as that
	}
	return s
}

// openAt opens a store as open does, at a given place.
func openAt(t testing.TB, uri string, opts Options) *Store {
	t.Helper()
	s, err := Open(t.Context(), uri, opts)
	require.NoError(t, err)
	s.firstPause = 5 * time.Millisecond
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// throughProxy opens a store whose requests pass through a proxy.
func throughProxy(t testing.TB, server *testservers.Server, change func(*Options)) (*Store, *faultproxy.Proxy) {
	t.Helper()
	proxy, err := faultproxy.New(server.Vars["S3_ENDPOINT"])
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, proxy.Close()) })
	opts := settings(server, proxy.URL())
	if change != nil {
		change(&opts)
	}
	return open(t, server, opts), proxy
}

// pending returns how many uploads below the store's prefix are neither completed nor aborted, and aborts them.
func pending(t testing.TB, s *Store) int {
	t.Helper()
	s.options.Now = func() time.Time { return time.Now().Add(time.Hour) }
	n, err := s.RemoveStale(t.Context(), time.Minute)
	require.NoError(t, err)
	return n
}

// pattern returns n bytes that differ by place and seed.
func pattern(n int, seed byte) []byte {
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(i) ^ byte(i>>8) ^ byte(i>>16) ^ seed
	}
	return data
}

// method matches requests by method.
func method(m string) func(*http.Request) bool {
	return func(r *http.Request) bool { return r.Method == m }
}

func TestStore(t *testing.T) {
	onServers(t, func(t *testing.T, server *testservers.Server) {
		storetest.Run(t, func(t testing.TB) storage.Store { return open(t, server, settings(server, "")) })
	})
}

// TestWholeBucket checks a store without a prefix.
func TestWholeBucket(t *testing.T) {
	onServers(t, func(t *testing.T, server *testservers.Server) {
		s := openAt(t, "s3://"+server.Vars["S3_BUCKET"], settings(server, ""))
		name := "firn-test/" + uuid.NewString() + "/a b"
		require.NoError(t, storage.WriteObject(t.Context(), s, name, []byte("x")))
		n := 0
		for info, err := range s.List(t.Context(), name[:20]) {
			require.NoError(t, err)
			if info.Name == name {
				n++
			}
		}
		require.Equal(t, 1, n)
		require.NoError(t, s.Delete(t.Context(), name))
	})
}

// TestLarge writes and reads objects of several parts.
func TestLarge(t *testing.T) {
	onServers(t, func(t *testing.T, server *testservers.Server) {
		opts := settings(server, "")
		opts.PartBytes = minPartBytes
		s := open(t, server, opts)
		part := s.options.PartBytes
		for _, size := range []int{part - 1, part, part + 1, 3 * part, 3*part + 7, 7 * part} {
			data := pattern(size, 3)
			require.NoError(t, storage.WriteObject(t.Context(), s, "large", data))
			back := make([]byte, size)
			require.NoError(t, s.ReadAt(t.Context(), "large", back, 0))
			require.Equal(t, data, back)
			require.ErrorIs(t, s.ReadAt(t.Context(), "large", back, 1), storage.ErrRange)
			require.ErrorIs(t, storage.WriteObject(t.Context(), s, "large", data), storage.ErrExist)
			require.NoError(t, s.Delete(t.Context(), "large"))
		}
		require.Zero(t, pending(t, s), "uploads left behind")
	})
}

// TestAbort checks that an aborted upload leaves no parts.
func TestAbort(t *testing.T) {
	onServers(t, func(t *testing.T, server *testservers.Server) {
		opts := settings(server, "")
		opts.PartBytes = minPartBytes
		s := open(t, server, opts)
		for _, size := range []int{s.options.PartBytes + 1, 3 * s.options.PartBytes} {
			w, err := s.Create(t.Context(), "object")
			require.NoError(t, err)
			_, err = io.Copy(w, io.LimitReader(zeros{}, int64(size)))
			require.NoError(t, err)
			require.NoError(t, w.Abort())
			require.Zero(t, pending(t, s))
			_, err = s.Stat(t.Context(), "object")
			require.ErrorIs(t, err, storage.ErrNotExist)
		}
	})
}

// zeros is an endless run of zeros.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
