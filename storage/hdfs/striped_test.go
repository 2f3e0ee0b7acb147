package hdfs

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/internal/testservers"
	"github.com/firnlog/firn/storage"
	"github.com/firnlog/firn/storage/storetest"
	"github.com/firnlog/firn/storage/webhdfs"
)

const testPolicy = "XOR-2-1-1024k"

// overHTTP is how package firn opens the other store.
func overHTTP(ctx context.Context, at WebAddress) (storage.Store, error) {
	return webhdfs.Open(ctx, at.URI, webhdfs.Options{User: at.User, Addresses: at.Addresses, RootURI: at.RootURI})
}

// setPolicy makes a directory of a store erasure coded.
func setPolicy(t testing.TB, s *Store, server *testservers.Server, dir string) {
	t.Helper()
	_, authority, _ := strings.Cut(server.Vars["HDFS_HTTP"], "://")
	web, err := webhdfs.Open(t.Context(), "webhdfs://"+authority+s.place.dir, webhdfs.Options{User: s.user})
	require.NoError(t, err)
	require.NoError(t, web.SetECPolicy(t.Context(), dir, testPolicy))
	require.NoError(t, web.Close())
}

// openBoth opens a store that knows the way over HTTP.
func openBoth(t testing.TB, server *testservers.Server) *Store {
	t.Helper()
	return open(t, server, func(o *Options) { o.WebHDFS, o.OpenWebHDFS = server.Vars["HDFS_HTTP"], overHTTP })
}

func TestStripedDirectory(t *testing.T) {
	server := shared(t)
	s := openBoth(t, server)
	setPolicy(t, s, server, "coded")
	data := random(3<<20+100, 1)
	for _, name := range []string{"coded/a", "coded/deep/b", "plain/a"} {
		require.NoError(t, storage.WriteObject(t.Context(), s, name, data))
		require.ErrorIs(t, storage.WriteObject(t.Context(), s, name, data), storage.ErrExist)
		back, err := storage.ReadAll(t.Context(), s, name)
		require.NoError(t, err)
		require.Equal(t, data, back)
		p := make([]byte, 1000)
		require.NoError(t, s.ReadAt(t.Context(), name, p, 1<<20-500))
		require.Equal(t, data[1<<20-500:1<<20+500], p)
		require.ErrorIs(t, s.ReadAt(t.Context(), name, p, int64(len(data))-999), storage.ErrRange)
		st, err := s.status(t.Context(), s.path(name))
		require.NoError(t, err)
		require.Equal(t, strings.HasPrefix(name, "coded"), st.striped, name)
	}
	var listed []string
	for info, err := range s.List(t.Context(), "") {
		require.NoError(t, err)
		listed = append(listed, fmt.Sprint(info.Name, info.Size))
	}
	size := fmt.Sprint(len(data))
	require.Equal(t, []string{"coded/a" + size, "coded/deep/b" + size, "plain/a" + size}, listed)
	require.NoError(t, s.Delete(t.Context(), "coded/a"))
	_, _, err := s.ReadTail(t.Context(), "coded/a", make([]byte, 1))
	require.ErrorIs(t, err, storage.ErrNotExist)
}

// TestStripedConformance runs the suite in an erasure coded directory.
func TestStripedConformance(t *testing.T) {
	server := shared(t)
	storetest.Run(t, func(t testing.TB) storage.Store {
		s := openBoth(t, server)
		setPolicy(t, s, server, "")
		return s
	}, "a:b;c,d")
}

// TestStripedWithoutHTTP checks that files that cannot be used are refused at once, with what to do.
func TestStripedWithoutHTTP(t *testing.T) {
	server := shared(t)
	t.Setenv("HADOOP_CONF_DIR", "")
	s := openBoth(t, server)
	setPolicy(t, s, server, "coded")
	require.NoError(t, storage.WriteObject(t.Context(), s, "coded/a", []byte("a")))
	for want, options := range map[string]Options{
		"Options.WebHDFS":     {User: s.user, OpenWebHDFS: overHTTP},
		"Options.OpenWebHDFS": {User: s.user, WebHDFS: server.Vars["HDFS_HTTP"]},
	} {
		without, err := Open(t.Context(), s.URI(""), options)
		require.NoError(t, err)
		_, err = storage.ReadAll(t.Context(), without, "coded/a")
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, "coded/a")
		err = storage.WriteObject(t.Context(), without, "coded/b", []byte("b"))
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, "coded/b")
		require.NoError(t, without.Close())
	}
}
