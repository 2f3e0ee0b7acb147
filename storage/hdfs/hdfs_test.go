package hdfs

import (
	"fmt"
	"math/rand/v2"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/firnlog/firn/internal/testservers"
	"github.com/firnlog/firn/storage"
	"github.com/firnlog/firn/storage/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// sharedCluster are the settings of the cluster that all tests share.
var sharedCluster = []string{"HDFS_DATANODES=3", "HDFS_EC=XOR-2-1-1024k"}

// shared returns the shared cluster.
func shared(t testing.TB) *testservers.Server {
	t.Helper()
	return testservers.Shared(t, "hdfs", sharedCluster...)
}

// open returns a store in a directory of its own, which is removed when the test ends, with a check that no hidden file was left.
func open(t testing.TB, server *testservers.Server, change func(*Options)) *Store {
	t.Helper()
	options := Options{User: server.Vars["HDFS_USER"], Logger: logger(t)}
	if change != nil {
		change(&options)
	}
	s, err := Open(t.Context(), "hdfs://"+server.Vars["HDFS_NAMENODE"]+"/test/"+uuid.NewString(), options)
	require.NoError(t, err)
	t.Cleanup(func() {
		requireNoTemp(t, s)
		removeRoot(t, s)
		require.NoError(t, s.Close())
	})
	return s
}

// requireNoTemp fails if a hidden file is left in a store.
func requireNoTemp(t testing.TB, s *Store) {
	t.Helper()
	require.NoError(t, s.walk(testContext(t), ".", "", func(info storage.Info) error {
		require.False(t, strings.HasPrefix(path.Base(info.Name), storage.TempPrefix), "hidden file %s was left", info.Name)
		return nil
	}))
}

// removeRoot removes the directory of a store.
func removeRoot(t testing.TB, s *Store) {
	t.Helper()
	sess, done, err := s.sessions.shared(testContext(t))
	require.NoError(t, err)
	defer done()
	require.NoError(t, sess.client.RemoveAll(s.place.dir))
}

// random returns n bytes that differ by seed.
func random(n int, seed uint64) []byte {
	data := make([]byte, n)
	generator := rand.New(rand.NewPCG(seed, 1))
	for i := range data {
		data[i] = byte(generator.Uint32())
	}
	return data
}

func TestConformance(t *testing.T) {
	server := shared(t)
	storetest.Run(t, func(t testing.TB) storage.Store { return open(t, server, nil) }, "a:b;c,d")
}

// TestConformanceSpilled runs the suite with objects kept on the disk until they are committed.
func TestConformanceSpilled(t *testing.T) {
	server := shared(t)
	storetest.Run(t, func(t testing.TB) storage.Store {
		dir := t.TempDir()
		return open(t, server, func(o *Options) { o.SpoolBytes, o.SpoolDir = 3, dir })
	}, "a:b;c,d")
}

func TestOneWinner(t *testing.T) {
	server := shared(t)
	stores := []*Store{open(t, server, nil)}
	for range 3 { // other processes have clients of their own
		s, err := Open(t.Context(), stores[0].URI(""), Options{User: server.Vars["HDFS_USER"]})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, s.Close()) })
		stores = append(stores, s)
	}
	for round := range 5 {
		name := fmt.Sprintf("dir/%d", round)
		var wins atomic.Int64
		var winner atomic.Int64
		var group sync.WaitGroup
		for i := range 16 {
			group.Go(func() {
				err := storage.WriteObject(t.Context(), stores[i%len(stores)], name, random(5000, uint64(i)))
				if err == nil {
					wins.Add(1)
					winner.Store(int64(i))
					return
				}
				if !errorsIs(err, storage.ErrExist) {
					t.Errorf("writer %d: %v", i, err)
				}
			})
		}
		group.Wait()
		require.EqualValues(t, 1, wins.Load())
		data, err := storage.ReadAll(t.Context(), stores[0], name)
		require.NoError(t, err)
		require.Equal(t, random(5000, uint64(winner.Load())), data)
	}
}

// TestConcurrentReads reads one file from many goroutines, as the library's own reader cannot, with few connections kept.
func TestConcurrentReads(t *testing.T) {
	server := shared(t)
	s := open(t, server, func(o *Options) { o.IdleReaders = 5; o.IdleTimeout = 50 * time.Millisecond })
	data := random(9<<20+123, 1)
	require.NoError(t, storage.WriteObject(t.Context(), s, "object", data))
	var group sync.WaitGroup
	for worker := range 8 {
		group.Go(func() {
			generator := rand.New(rand.NewPCG(uint64(worker), 2))
			at := 0
			for range 60 {
				off := generator.IntN(len(data))
				switch generator.IntN(3) {
				case 0: // read on
					off = at
				case 1: // a short way forward
					off = min(at+generator.IntN(2*skipBytes), len(data))
				}
				p := make([]byte, generator.IntN(min(len(data)-off, 300_000)+1))
				if err := s.ReadAt(t.Context(), "object", p, int64(off)); err != nil {
					t.Errorf("worker %d: %v", worker, err)
					return
				}
				if string(data[off:off+len(p)]) != string(p) {
					t.Errorf("worker %d: wrong bytes at %d", worker, off)
					return
				}
				at = off + len(p)
			}
		})
	}
	group.Wait()
}

// TestBlocks writes files of several sizes in blocks of several sizes, and reads across their borders.
func TestBlocks(t *testing.T) {
	server := shared(t)
	s := open(t, server, func(o *Options) { o.BlockBytes = 1 << 20; o.SpoolBytes = 300_000 })
	for _, size := range []int{0, 1, 511, 512, 513, 65535, 65536, 65537, 1<<20 - 1, 1 << 20, 1<<20 + 1, 5<<20 + 77} {
		name, data := fmt.Sprint(size), random(size, uint64(size))
		require.NoError(t, storage.WriteObject(t.Context(), s, name, data))
		back, err := storage.ReadAll(t.Context(), s, name)
		require.NoError(t, err)
		require.True(t, string(data) == string(back), "%d bytes", size)
	}
}

func TestReadsDoNotAskTheNamenodeAgain(t *testing.T) {
	server := shared(t)
	s := open(t, server, nil)
	require.NoError(t, storage.WriteObject(t.Context(), s, "object", random(100_000, 1)))
	p := make([]byte, 1000)
	require.NoError(t, s.ReadAt(t.Context(), "object", p, 0))
	s.readers.mu.Lock()
	r := s.readers.files["object"].idle[0]
	s.readers.mu.Unlock()
	for i := range 10 {
		require.NoError(t, s.ReadAt(t.Context(), "object", p, int64(9000*(10-i))))
	}
	_, _, err := s.ReadTail(t.Context(), "object", p)
	require.NoError(t, err)
	s.readers.mu.Lock()
	require.Same(t, r, s.readers.files["object"].idle[0])
	require.Len(t, s.readers.files["object"].idle, 1)
	s.readers.mu.Unlock()

	require.NoError(t, s.Delete(t.Context(), "object"))
	require.ErrorIs(t, s.ReadAt(t.Context(), "object", p, 0), storage.ErrNotExist)
}

func TestRemoveStale(t *testing.T) {
	server := shared(t)
	s := open(t, server, nil)
	require.NoError(t, storage.WriteObject(t.Context(), s, "dir/object", []byte("x")))
	sess, done, err := s.sessions.shared(t.Context())
	require.NoError(t, err)
	left, err := sess.client.CreateFile(s.path("dir/"+storage.TempPrefix+"left"), 1, 1<<20, 0o644)
	require.NoError(t, err)
	require.NoError(t, left.Close())
	done()
	removed, err := s.RemoveStale(t.Context(), time.Hour)
	require.NoError(t, err)
	require.Zero(t, removed)
	removed, err = s.RemoveStale(t.Context(), -time.Hour)
	require.NoError(t, err)
	require.Equal(t, 1, removed)
	data, err := storage.ReadAll(t.Context(), s, "dir/object")
	require.NoError(t, err)
	require.Equal(t, []byte("x"), data)
}
