package hdfs

import (
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/internal/testservers"
	"github.com/firnlog/firn/storage"
)

// TestFailover kills the active of two namenodes, twice, while others write.
func TestFailover(t *testing.T) {
	server := testservers.Own(t, "hdfs", "HDFS_HA=1", "HDFS_DATANODES=2")
	s, err := Open(t.Context(), "hdfs://"+server.Vars["HDFS_SERVICE"]+"/lake", Options{
		ConfDir: server.Vars["HADOOP_CONF_DIR"], User: server.Vars["HDFS_USER"], RetryFor: patience, Logger: logger(t),
	})
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	require.Equal(t, "hdfs://firn/lake", s.URI(""))
	require.Len(t, s.place.nameNodes, 2)
	require.Len(t, s.place.http, 2)

	const writers, objects = 4, 24
	for round, active := range []string{"namenode", "namenode2"} {
		var done atomic.Int64
		middle := make(chan struct{})
		var group sync.WaitGroup
		for worker := range writers {
			group.Go(func() {
				for i := range objects {
					name := fmt.Sprintf("%d/%d-%d", round, worker, i)
					if err := storage.WriteObject(t.Context(), s, name, []byte(name)); err != nil {
						t.Errorf("writer %d: %v", worker, err)
					}
					if done.Add(1) == writers*objects/2 {
						close(middle)
					}
				}
			})
		}
		<-middle
		server.Signal(t, active, syscall.SIGKILL)
		server.Up(t) // makes the other one active
		group.Wait()
	}
	listed := 0
	for info, err := range s.List(t.Context(), "") {
		require.NoError(t, err)
		back, err := storage.ReadAll(t.Context(), s, info.Name)
		require.NoError(t, err)
		require.Equal(t, info.Name, string(back))
		listed++
	}
	require.Equal(t, 2*writers*objects, listed)

	// The addresses alone do as well, and the standby may come first.
	direct, err := Open(t.Context(), "hdfs://"+server.Vars["HDFS_NAMENODE"]+"/lake", Options{User: server.Vars["HDFS_USER"]})
	require.NoError(t, err)
	defer func() { require.NoError(t, direct.Close()) }()
	back, err := storage.ReadAll(t.Context(), direct, "0/0-0")
	require.NoError(t, err)
	require.Equal(t, "0/0-0", string(back))
}
