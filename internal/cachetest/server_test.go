package cachetest

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/internal/faultproxy"
	"github.com/firnlog/firn/internal/testservers"
	"github.com/firnlog/firn/storage"
	"github.com/firnlog/firn/storage/cache"
	"github.com/firnlog/firn/storage/s3"
	"github.com/firnlog/firn/storage/storetest"
)

// onServers runs a test on each S3 server.
func onServers(t *testing.T, test func(t *testing.T, server *testservers.Server)) {
	testservers.Need(t)
	for name, settings := range map[string][]string{"versitygw": nil, "minio": {"S3_SERVER=minio"}} {
		t.Run(name, func(t *testing.T) { test(t, testservers.Shared(t, "s3", settings...)) })
	}
}

// openS3 opens a store below a prefix of a server's bucket.
func openS3(t testing.TB, server *testservers.Server, endpoint, prefix string) *s3.Store {
	t.Helper()
	s, err := s3.Open(t.Context(), "s3://"+server.Vars["S3_BUCKET"]+"/firn-test/"+prefix, s3.Options{
		Endpoint: endpoint, Region: server.Vars["AWS_REGION"], AccessKeyID: server.Vars["AWS_ACCESS_KEY_ID"],
		SecretAccessKey: server.Vars["AWS_SECRET_ACCESS_KEY"],
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func TestSuiteOnS3(t *testing.T) {
	onServers(t, func(t *testing.T, server *testservers.Server) {
		storetest.Run(t, func(t testing.TB) storage.Store {
			s, err := cache.Open(openS3(t, server, server.Vars["S3_ENDPOINT"], uuid.NewString()), cache.Options{
				Dir: t.TempDir(), MinFree: -1, BlockBytes: 64 << 10, Cacheable: func(string) bool { return true },
			})
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, s.Close()) })
			return s
		})
	})
}

// TestSecondRunOnS3 searches a lake on S3 through a proxy: the first run through the cache makes no more requests than one without, the second
// run, in a new process, none.
func TestSecondRunOnS3(t *testing.T) {
	onServers(t, func(t *testing.T, server *testservers.Server) {
		prefix := uuid.NewString()
		l := newLake(t, openS3(t, server, server.Vars["S3_ENDPOINT"], prefix), 20_000)
		proxy, err := faultproxy.New(server.Vars["S3_ENDPOINT"])
		require.NoError(t, err)
		defer func() { require.NoError(t, proxy.Close()) }()
		proxy.SetDelay(10 * time.Millisecond)
		inner := openS3(t, server, proxy.URL(), prefix)
		const text = "user7 OR compaction"
		want := l.search(t, inner, text)
		require.NotZero(t, want)
		direct := proxy.Requests()
		t.Logf("without a cache: %d requests in %d rounds, %d bytes", direct, proxy.Rounds(), proxy.BytesOut())
		dir := t.TempDir()
		for run := range 2 {
			proxy.Reset()
			s, err := cache.Open(inner, cache.Options{Dir: dir, MinFree: -1})
			require.NoError(t, err)
			require.Equal(t, want, l.search(t, s, text))
			require.NoError(t, s.Close())
			t.Logf("run %d: %d requests in %d rounds, %d bytes; %s", run, proxy.Requests(), proxy.Rounds(), proxy.BytesOut(), s.Stats())
			if run == 0 {
				require.LessOrEqual(t, proxy.Requests(), direct)
			} else {
				require.Zero(t, proxy.Requests())
			}
		}
	})
}
