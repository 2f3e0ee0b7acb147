package hdfs

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/storage"
)

// TestCancelledCommits cancels commits at random moments: an object is there if Commit said so, and only then.
func TestCancelledCommits(t *testing.T) {
	server := shared(t)
	s := open(t, server, nil)
	data := random(8<<20, 1)
	generator := rand.New(rand.NewPCG(1, 2))
	for i := range 20 {
		name := fmt.Sprintf("dir/%d", i)
		w, err := s.Create(t.Context(), name)
		require.NoError(t, err)
		_, err = w.Write(data)
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		stop := time.AfterFunc(time.Duration(generator.IntN(300))*time.Millisecond, cancel)
		err = w.Commit(ctx)
		stop.Stop()
		cancel()
		_, statErr := s.Stat(t.Context(), name)
		if err == nil {
			require.NoError(t, statErr)
			continue
		}
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, statErr, storage.ErrNotExist)
	}
	requireNoTemp(t, s)
}

// TestCloseEndsAll closes a store that is at work.
func TestCloseEndsAll(t *testing.T) {
	server := shared(t)
	watch := open(t, server, nil)
	s, err := Open(t.Context(), watch.URI(""), Options{User: watch.user})
	require.NoError(t, err)
	require.NoError(t, storage.WriteObject(t.Context(), s, "object", random(1<<20, 1)))
	var group sync.WaitGroup
	for i := range 4 {
		group.Go(func() {
			p := make([]byte, 1000)
			for {
				err := s.ReadAt(t.Context(), "object", p, 1000)
				if err == nil {
					continue
				}
				if !errors.Is(err, errClosed) {
					t.Errorf("reader: %v", err)
				}
				return
			}
		})
		group.Go(func() {
			for n := 0; ; n++ {
				err := storage.WriteObject(t.Context(), s, fmt.Sprintf("dir/%d-%d", i, n), random(2<<20, 1))
				if err == nil {
					continue
				}
				if !errors.Is(err, errClosed) {
					t.Errorf("writer: %v", err)
				}
				return
			}
		})
	}
	for count := 0; count < 3; { // until it is at work
		count = 0
		for _, err := range watch.List(t.Context(), "dir/") {
			require.NoError(t, err)
			count++
		}
	}
	require.NoError(t, s.Close())
	group.Wait()
	require.NoError(t, s.Close(), "Close may be called again")
	_, err = s.Stat(t.Context(), "object")
	require.ErrorIs(t, err, errClosed)
	_, err = watch.RemoveStale(t.Context(), -time.Hour) // nobody could tidy up after the writers
	require.NoError(t, err)
}

func TestLongName(t *testing.T) {
	server := shared(t)
	s := open(t, server, nil)
	require.ErrorIs(t, storage.WriteObject(t.Context(), s, "dir/"+strings.Repeat("x", 300), nil), storage.ErrInvalidName)
}

// TestDeadWriters checks that files which killed writers have left open are in nobody's way.
func TestDeadWriters(t *testing.T) {
	server := shared(t)
	s := open(t, server, nil)
	sess, err := s.newSession(t.Context(), toWrite)
	require.NoError(t, err)
	require.NoError(t, sess.client.MkdirAll(s.path("dir"), dirMode))
	_, err = sess.client.CreateFile(s.path("dir/"+storage.TempPrefix+"dead"), 3, 1<<20, fileMode)
	require.NoError(t, err)
	sess.release() // no more renewals of its lease
	require.NoError(t, storage.WriteObject(t.Context(), s, "dir/object", []byte("x")))
	for info, err := range s.List(t.Context(), "") {
		require.NoError(t, err)
		require.Equal(t, "dir/object", info.Name)
	}
	removed, err := s.RemoveStale(t.Context(), -time.Hour)
	require.NoError(t, err)
	require.Equal(t, 1, removed)
}
