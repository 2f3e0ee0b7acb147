package webhdfs

import (
	"context"
	"crypto/rand"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/internal/testservers"
	"github.com/firnlog/firn/storage"
	"github.com/firnlog/firn/storage/storetest"
)

// clusterSettings are those of the shared cluster; other packages use the same.
var clusterSettings = []string{"HDFS_DATANODES=3", "HDFS_EC=XOR-2-1-1024k"}

// policy is the erasure coding policy that is enabled on it.
const policy = "XOR-2-1-1024k"

// cluster returns the shared cluster.
func cluster(t testing.TB) *testservers.Server {
	t.Helper()
	return testservers.Shared(t, "hdfs", clusterSettings...)
}

// optionsOf returns options for a test cluster.
func optionsOf(c *testservers.Server) Options { return Options{User: c.Vars["HDFS_USER"]} }

// uriOf returns the URI of a fresh directory.
func uriOf(c *testservers.Server) string {
	return "webhdfs" + strings.TrimPrefix(c.Vars["HDFS_HTTP"], "http") + "/webhdfs-test/" + rand.Text()
}

// openAt opens a store, which is removed with all below it when the test ends.
func openAt(t testing.TB, uri string, opts Options) *Store {
	t.Helper()
	s, err := Open(t.Context(), uri, opts)
	require.NoError(t, err)
	ctx := t.Context()
	t.Cleanup(func() {
		ctx := context.WithoutCancel(ctx)
		err := s.query(ctx, request{method: http.MethodDelete, op: "DELETE", path: s.path(""), params: []string{"recursive", "true"}}, nil)
		require.NoError(t, err)
		require.NoError(t, s.Close())
	})
	return s
}

func TestStoreOnServer(t *testing.T) {
	c := cluster(t)
	storetest.Run(t, func(t testing.TB) storage.Store { return openAt(t, uriOf(c), optionsOf(c)) }, "a:b;c,d")
}

func TestStoreOnErasureCodedDirectory(t *testing.T) {
	c := cluster(t)
	storetest.Run(t, func(t testing.TB) storage.Store {
		s := openAt(t, uriOf(c), optionsOf(c))
		require.NoError(t, s.SetECPolicy(t.Context(), "", policy))
		is, err := s.IsErasureCoded(t.Context(), "a/b/that/does/not/exist")
		require.NoError(t, err)
		require.True(t, is)
		return s
	}, "a:b;c,d")
}
