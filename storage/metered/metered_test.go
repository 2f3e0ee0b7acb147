package metered_test

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/storage"
	"github.com/firnlog/firn/storage/mem"
	"github.com/firnlog/firn/storage/metered"
	"github.com/firnlog/firn/storage/storetest"
)

func TestConformance(t *testing.T) {
	storetest.Run(t, func(testing.TB) storage.Store { return metered.New(mem.New()) })
}

func TestCounts(t *testing.T) {
	ctx := t.Context()
	s := metered.New(mem.New())
	require.NoError(t, storage.WriteObject(ctx, s, "a", make([]byte, 1000)))
	require.ErrorIs(t, storage.WriteObject(ctx, s, "a", make([]byte, 1000)), storage.ErrExist)
	require.Equal(t, metered.Counts{Creates: 2, BytesWritten: 1000}, s.Counts())

	before := s.Counts()
	require.NoError(t, s.ReadAt(ctx, "a", make([]byte, 10), 5))
	require.Error(t, s.ReadAt(ctx, "a", make([]byte, 2000), 0))
	_, _, err := s.ReadTail(ctx, "a", make([]byte, 5000))
	require.NoError(t, err)
	require.Equal(t, metered.Counts{Requests: 3, BytesRead: 1010}, s.Counts().Sub(before))

	s.Reset()
	_, err = s.Stat(ctx, "a")
	require.NoError(t, err)
	list := s.List(ctx, "")
	require.Zero(t, s.Counts().Lists, "a listing counts when it begins")
	for _, err := range list {
		require.NoError(t, err)
	}
	require.NoError(t, s.Delete(ctx, "a"))
	require.Equal(t, metered.Counts{Stats: 1, Lists: 1, Deletes: 1}, s.Counts())
}

func TestCountsConcurrently(t *testing.T) {
	s := metered.New(mem.New())
	require.NoError(t, storage.WriteObject(t.Context(), s, "a", make([]byte, 10)))
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 100 {
				_ = s.ReadAt(t.Context(), "a", make([]byte, 10), 0)
			}
		})
	}
	group.Wait()
	require.EqualValues(t, 800, s.Counts().Requests)
	require.EqualValues(t, 8000, s.Counts().BytesRead)
}
