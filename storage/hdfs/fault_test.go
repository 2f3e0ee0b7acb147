package hdfs

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/internal/testservers"
	"github.com/firnlog/firn/storage"
)

// patience gives the namenode of the test cluster time to notice a dead datanode (14 s) on a busy machine.
const patience = 3 * time.Minute

// patient sets it.
func patient(o *Options) { o.RetryFor = patience }

// TestDatanodeFails kills and stops datanodes while others read and write.
func TestDatanodeFails(t *testing.T) {
	server := testservers.Own(t, "hdfs", "HDFS_DATANODES=3")
	s := open(t, server, patient)
	t.Run("KilledWhileReading", func(t *testing.T) {
		readWhile(t, s, "a", func() { server.Signal(t, "datanode0", syscall.SIGKILL) })
	})
	server.Up(t)
	t.Run("StoppedWhileReading", func(t *testing.T) {
		readWhile(t, s, "b", func() { server.Signal(t, "datanode1", syscall.SIGSTOP) })
	})
	server.Signal(t, "datanode1", syscall.SIGCONT)
	server.Up(t)
	t.Run("AllSlow", func(t *testing.T) { testSlowDatanodes(t, server, s) })
	t.Run("KilledWhileWriting", func(t *testing.T) {
		writeWhile(t, s, "c", func() { server.Signal(t, "datanode2", syscall.SIGKILL) })
	})
	server.Up(t)
	t.Run("StoppedWhileWriting", func(t *testing.T) {
		writeWhile(t, s, "d", func() { server.Signal(t, "datanode0", syscall.SIGSTOP) })
	})
	server.Signal(t, "datanode0", syscall.SIGCONT)
	server.Up(t)
}

// readWhile reads from four goroutines, lets a fault happen in the middle, and checks every byte.
func readWhile(t *testing.T, s *Store, dir string, fault func()) {
	const objects, size, readers, reads = 6, 5 << 20, 4, 60
	for i := range objects {
		require.NoError(t, storage.WriteObject(t.Context(), s, fmt.Sprintf("%s/%d", dir, i), random(size, uint64(i))))
	}
	data := make([][]byte, objects)
	for i := range data {
		data[i] = random(size, uint64(i))
	}
	var done atomic.Int64
	middle := make(chan struct{})
	var group sync.WaitGroup
	for worker := range readers {
		group.Go(func() {
			generator := rand.New(rand.NewPCG(uint64(worker), 3))
			for range reads {
				i, off := generator.IntN(objects), generator.IntN(size)
				p := make([]byte, generator.IntN(size-off)+1)
				if err := s.ReadAt(t.Context(), fmt.Sprintf("%s/%d", dir, i), p, int64(off)); err != nil {
					t.Errorf("reader %d: %v", worker, err)
					return
				}
				if !bytes.Equal(p, data[i][off:off+len(p)]) {
					t.Errorf("reader %d: wrong bytes of object %d at %d", worker, i, off)
					return
				}
				if done.Add(1) == readers*reads/4 {
					close(middle)
				}
			}
		})
	}
	inTheMiddle(&group, middle, fault)
	require.EqualValues(t, readers*reads, done.Load())
}

// testSlowDatanodes stops all datanodes until a reader has run out of replicas, and lets them go on.
func testSlowDatanodes(t *testing.T, server *testservers.Server, s *Store) {
	data := random(2<<20, 9)
	require.NoError(t, storage.WriteObject(t.Context(), s, "slow", data))
	signal := func(signal syscall.Signal) {
		for i := range 3 {
			server.Signal(t, fmt.Sprintf("datanode%d", i), signal)
		}
	}
	signal(syscall.SIGSTOP)
	read := make(chan error, 1)
	back := make([]byte, len(data))
	go func() { read <- s.ReadAt(t.Context(), "slow", back, 0) }()
	for s.patience.doublings.Load() == 0 {
		time.Sleep(10 * time.Millisecond)
	}
	signal(syscall.SIGCONT)
	require.NoError(t, <-read)
	require.Equal(t, data, back)
}

// inTheMiddle lets the fault happen when middle is closed, unless all have ended before, and waits for the group.
func inTheMiddle(group *sync.WaitGroup, middle <-chan struct{}, fault func()) {
	ended := make(chan struct{})
	go func() {
		group.Wait()
		close(ended)
	}()
	select {
	case <-middle:
		fault()
	case <-ended:
	}
	<-ended
}

// writeWhile writes from four goroutines, lets a fault happen in the middle, and checks that all objects are there.
func writeWhile(t *testing.T, s *Store, dir string, fault func()) {
	const writers, objects, size = 4, 8, 3 << 20
	var done atomic.Int64
	middle := make(chan struct{})
	var group sync.WaitGroup
	for worker := range writers {
		group.Go(func() {
			for i := range objects {
				name := fmt.Sprintf("%s/%d-%d", dir, worker, i)
				if err := storage.WriteObject(t.Context(), s, name, random(size+i, uint64(worker*objects+i))); err != nil {
					t.Errorf("writer %d: %v", worker, err)
				}
				if done.Add(1) == writers*objects/4 {
					close(middle)
				}
			}
		})
	}
	inTheMiddle(&group, middle, fault)
	for worker := range writers {
		for i := range objects {
			back, err := storage.ReadAll(t.Context(), s, fmt.Sprintf("%s/%d-%d", dir, worker, i))
			require.NoError(t, err)
			require.True(t, bytes.Equal(random(size+i, uint64(worker*objects+i)), back))
		}
	}
}

// TestNamenodeRestarts kills the namenode again and again while four writers create objects, two of them the same ones.
func TestNamenodeRestarts(t *testing.T) {
	server := testservers.Own(t, "hdfs", "HDFS_DATANODES=3")
	s := open(t, server, patient)
	const writers, objects, restarts = 4, 30, 2
	var acknowledged [writers][objects]atomic.Bool
	var done atomic.Int64
	due := make(chan struct{}, restarts)
	var group sync.WaitGroup
	for worker := range writers {
		group.Go(func() {
			for i := range objects {
				name := fmt.Sprintf("dir/%d-%d", worker%3, i) // workers 0 and 3 want the same names
				err := storage.WriteObject(t.Context(), s, name, random(10_000, uint64(worker*objects+i)))
				switch {
				case err == nil:
					acknowledged[worker][i].Store(true)
				case worker%3 == 0 && errorsIs(err, storage.ErrExist):
				default:
					t.Errorf("writer %d: %v", worker, err)
				}
				if n := done.Add(1); n%(writers*objects/(restarts+1)) == 0 && n < writers*objects {
					due <- struct{}{}
				}
			}
		})
	}
	for range restarts {
		<-due
		server.Signal(t, "namenode", syscall.SIGKILL)
		server.Up(t)
	}
	group.Wait()
	for i := range objects {
		require.NotEqual(t, acknowledged[0][i].Load(), acknowledged[3][i].Load(), "object %d has exactly one creator", i)
		for worker := range writers {
			if !acknowledged[worker][i].Load() {
				continue
			}
			back, err := storage.ReadAll(t.Context(), s, fmt.Sprintf("dir/%d-%d", worker%3, i))
			require.NoError(t, err)
			require.Equal(t, random(10_000, uint64(worker*objects+i)), back)
		}
	}
	t.Run("Hangs", func(t *testing.T) { testHangingNamenode(t, server, s) })
	listed := 0
	for _, err := range s.List(t.Context(), "") {
		require.NoError(t, err)
		listed++
	}
	require.Equal(t, 3*objects, listed)
	_, err := s.RemoveStale(t.Context(), -time.Hour) // what could not be tidied while the namenode was down
	require.NoError(t, err)
}

// testHangingNamenode checks that nobody waits longer than his context allows, and that all goes on when the namenode does.
func testHangingNamenode(t *testing.T, server *testservers.Server, s *Store) {
	server.Signal(t, "namenode", syscall.SIGSTOP)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := s.Stat(ctx, "dir/1-0")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorContains(t, err, s.URI(""))
	require.ErrorIs(t, storage.WriteObject(ctx, s, "dir/late", nil), context.DeadlineExceeded)
	_, err = storage.ReadAll(ctx, s, "dir/1-1")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	server.Signal(t, "namenode", syscall.SIGCONT)
	_, err = s.Stat(t.Context(), "dir/1-0")
	require.NoError(t, err)
}
