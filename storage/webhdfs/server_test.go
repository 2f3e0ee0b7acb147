package webhdfs

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
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
	t.Parallel() // on a cluster that is shared, with the other one
	c := cluster(t)
	storetest.Run(t, func(t testing.TB) storage.Store { return openAt(t, uriOf(c), optionsOf(c)) }, "a:b;c,d")
}

func TestStoreOnErasureCodedDirectory(t *testing.T) {
	t.Parallel() // on a cluster that is shared, with the other one
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

// TestLostAnswersOnServer loses answers to uploads and renames that the real servers carried out.
func TestLostAnswersOnServer(t *testing.T) {
	c := cluster(t)
	s := openAt(t, uriOf(c), optionsOf(c))
	require.NoError(t, s.SetECPolicy(t.Context(), "", policy))
	var losing atomic.Pointer[string]
	s.http.Transport = &lossy{inner: s.http.Transport, done: true, lose: func(r *http.Request) bool {
		op := losing.Load()
		return op != nil && r.URL.Query().Get("op") == *op && losing.CompareAndSwap(op, nil)
	}}
	for i, op := range []string{"CREATE", "RENAME", "GETFILESTATUS", "OPEN", "LISTSTATUS", "DELETE"} {
		name := "a/" + op
		losing.Store(&op)
		data := content(byte(i), 10_000)
		require.NoError(t, storage.WriteObject(t.Context(), s, name, data))
		losing.Store(&op)
		require.ErrorIs(t, storage.WriteObject(t.Context(), s, name, []byte("other")), storage.ErrExist)
		losing.Store(&op)
		got, err := storage.ReadAll(t.Context(), s, name)
		require.NoError(t, err)
		require.Equal(t, data, got)
		losing.Store(&op)
		for _, err := range s.List(t.Context(), "") {
			require.NoError(t, err)
		}
		losing.Store(&op)
		require.NoError(t, s.Delete(t.Context(), name))
	}
	losing.Store(nil)
	entries, err := s.entries(t.Context(), "")
	require.NoError(t, err)
	require.Empty(t, entries, "no hidden files and no empty directories are left")
}

// TestLargeDirectoryOnServer lists more entries than the namenode takes at once (dfs.ls.limit, 1000), in the order of the names.
func TestLargeDirectoryOnServer(t *testing.T) {
	c := cluster(t)
	s := openAt(t, uriOf(c), optionsOf(c))
	const directories = 1200
	var group sync.WaitGroup
	for worker := range 8 {
		group.Go(func() {
			for i := worker; i < directories; i += 8 {
				path := s.path(fmt.Sprintf("empty +%d", i))
				assert.NoError(t, s.query(t.Context(), request{method: http.MethodPut, op: "MKDIRS", path: path}, nil))
			}
		})
	}
	group.Wait()
	want := []string{"a", "empty +2", "empty +999/x", "z"}
	for _, name := range want {
		if name == "empty +2" {
			require.NoError(t, s.remove(t.Context(), s.path(name)))
		}
		require.NoError(t, storage.WriteObject(t.Context(), s, name, nil))
	}
	entries, err := s.entries(t.Context(), "")
	require.NoError(t, err)
	require.Len(t, entries, directories+2)
	var got []string
	for info, err := range s.List(t.Context(), "") {
		require.NoError(t, err)
		got = append(got, info.Name)
	}
	require.Equal(t, want, got)
}

// TestDirectoriesOnServer removes directories that become empty, but those with an erasure coding policy of their own.
func TestDirectoriesOnServer(t *testing.T) {
	c := cluster(t)
	s := openAt(t, uriOf(c), optionsOf(c))
	require.NoError(t, s.SetECPolicy(t.Context(), "logs", policy))
	require.NoError(t, storage.WriteObject(t.Context(), s, "logs/a/b/c", []byte("abc")))
	require.NoError(t, storage.WriteObject(t.Context(), s, "other/a/b/c", []byte("abc")))
	for name, want := range map[string]string{"": "", "logs": policy, "logs/a/b/c": policy, "logs/new": policy, "other/a/b/c": ""} {
		got, err := s.ECPolicy(t.Context(), name)
		require.NoError(t, err)
		require.Equal(t, want, got, "%q", name)
	}
	require.ErrorIs(t, storage.WriteObject(t.Context(), s, "logs/a", []byte("x")), storage.ErrExist, "the name is a directory's")
	require.NoError(t, s.Delete(t.Context(), "logs/a/b/c"))
	require.NoError(t, s.Delete(t.Context(), "other/a/b/c"))
	entries, err := s.entries(t.Context(), "")
	require.NoError(t, err)
	require.Len(t, entries, 1)
	require.Equal(t, "logs", entries[0].Name)
	require.True(t, entries[0].empty())
}

// TestForbiddenOnServer is a user without rights.
func TestForbiddenOnServer(t *testing.T) {
	c := cluster(t)
	uri := uriOf(c)
	s := openAt(t, uri, optionsOf(c))
	require.NoError(t, storage.WriteObject(t.Context(), s, "a/b", []byte("abc")))
	stranger, err := Open(t.Context(), uri, Options{User: "stranger"})
	require.NoError(t, err)
	got, err := storage.ReadAll(t.Context(), stranger, "a/b")
	require.NoError(t, err)
	require.Equal(t, "abc", string(got))
	for verb, err := range map[string]error{
		"delete": stranger.Delete(t.Context(), "a/b"), "commit": storage.WriteObject(t.Context(), stranger, "a/c", []byte("x")),
	} {
		require.ErrorContains(t, err, verb+" "+uri)
		require.ErrorContains(t, err, "user=stranger, access=WRITE")
		require.ErrorContains(t, err, "HADOOP_USER_NAME")
	}
	_, err = stranger.Stat(t.Context(), "a/b/below")
	require.ErrorIs(t, err, storage.ErrNotExist)
	require.NoError(t, stranger.Close())
}
