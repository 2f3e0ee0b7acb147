package webhdfs

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/internal/testservers"
	"github.com/firnlog/firn/storage"
)

// content returns bytes that only their number and a seed decide.
func content(seed byte, n int) []byte {
	data := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(data)
	return data
}

// impatient returns options that notice a hung server soon.
func impatient(c *testservers.Server) Options {
	o := optionsOf(c)
	o.StallTimeout, o.PatientTimeout, o.RequestTimeout = 2*time.Second, 10*time.Second, 5*time.Second
	return o
}

// requireAll fails unless a fresh store reads every object as it was written, whole and in ranges.
func requireAll(t *testing.T, uri string, o Options, objects map[string][]byte) {
	t.Helper()
	s, err := Open(t.Context(), uri, o)
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	for name, want := range objects {
		got, err := storage.ReadAll(t.Context(), s, name)
		require.NoError(t, err)
		require.True(t, bytes.Equal(want, got), "%s differs", name)
		p := make([]byte, 100_000)
		off := len(want) / 2
		require.NoError(t, s.ReadAt(t.Context(), name, p, int64(off)))
		require.True(t, bytes.Equal(want[off:off+len(p)], p), "a range of %s differs", name)
	}
}

// TestErasureCodingWithoutOneDatanode kills one datanode of three, and hangs another one later: what was written is read byte for byte
// from what the others have, and new objects are written.
func TestErasureCodingWithoutOneDatanode(t *testing.T) {
	c := testservers.Own(t, "hdfs", clusterSettings...)
	uri, o := uriOf(c), impatient(c)
	s, err := Open(t.Context(), uri, o)
	require.NoError(t, err)
	require.NoError(t, s.SetECPolicy(t.Context(), "", policy))
	objects := map[string][]byte{}
	for i := range 6 {
		name := fmt.Sprintf("a/%d", i)
		objects[name] = content(byte(i), 1<<20+i*900_000)
		require.NoError(t, storage.WriteObject(t.Context(), s, name, objects[name]))
		is, err := s.IsErasureCoded(t.Context(), name)
		require.NoError(t, err)
		require.True(t, is)
	}
	requireAll(t, uri, o, objects)
	for _, fault := range []struct {
		datanode    string
		how, repair syscall.Signal
	}{{datanode: "datanode0", how: syscall.SIGKILL}, {datanode: "datanode1", how: syscall.SIGSTOP, repair: syscall.SIGCONT}} {
		c.Signal(t, fault.datanode, fault.how)
		t.Logf("%v of %s", fault.how, fault.datanode)
		began := time.Now()
		requireAll(t, uri, o, objects)
		t.Logf("all was read after %v", time.Since(began))
		began = time.Now()
		late := content(99, 3<<20)
		require.NoError(t, storage.WriteObject(t.Context(), s, "late/"+fault.datanode, late))
		requireAll(t, uri, o, map[string][]byte{"late/" + fault.datanode: late})
		t.Logf("a new object was written and read after %v", time.Since(began))
		if fault.repair != 0 {
			c.Signal(t, fault.datanode, fault.repair)
		}
		c.Up(t)
	}
	requireAll(t, uri, o, objects)
}

// TestNamenodeKilledWhileWritersPublish kills the namenode while pairs of writers want the same names, and starts it again: each name
// has one winner, its bytes are the winner's, and nothing else is there.
func TestNamenodeKilledWhileWritersPublish(t *testing.T) {
	c := testservers.Own(t, "hdfs", clusterSettings...)
	uri, o := uriOf(c), impatient(c)
	o.MaxAttempts = 40
	s, err := Open(t.Context(), uri, o)
	require.NoError(t, err)
	const pairs, each = 3, 15
	var committed atomic.Int64
	half := make(chan struct{})
	var mu sync.Mutex
	objects := map[string][]byte{}
	var group sync.WaitGroup
	for writer := range 2 * pairs {
		group.Go(func() {
			for i := range each {
				name := fmt.Sprintf("%d/%d", writer/2, i)
				data := content(byte(writer), 10_000+i)
				err := storage.WriteObject(t.Context(), s, name, data)
				if err == nil {
					mu.Lock()
					_, twice := objects[name]
					objects[name] = data
					mu.Unlock()
					assert.False(t, twice, "two writers of %s were told that they had won", name)
				} else if !errors.Is(err, storage.ErrExist) {
					assert.NoError(t, err)
				}
				if committed.Add(1) == pairs*each {
					close(half)
				}
			}
		})
	}
	<-half
	c.Signal(t, "namenode", syscall.SIGKILL)
	c.Up(t)
	group.Wait()
	require.Len(t, objects, pairs*each, "each name has one winner")
	requireAllSmall(t, uri, o, objects)
}
