package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/storage"
)

// rivals is how many writers want one name.
const rivals = 16

func testOneWinner(t *testing.T, s storage.Store) {
	for round := range 8 {
		name := fmt.Sprintf("round/%d", round)
		var winner atomic.Int64
		winner.Store(-1)
		var wins atomic.Int64
		var group sync.WaitGroup
		start := make(chan struct{})
		for i := range rivals {
			group.Go(func() {
				<-start
				err := storage.WriteObject(t.Context(), s, name, pattern(1000+i, byte(i)))
				if err == nil {
					wins.Add(1)
					winner.Store(int64(i))
					return
				}
				assert.ErrorIs(t, err, storage.ErrExist)
			})
		}
		close(start)
		group.Wait()
		require.EqualValues(t, 1, wins.Load(), "exactly one writer wins")
		i := int(winner.Load())
		require.Equal(t, pattern(1000+i, byte(i)), get(t, s, name), "the object is the winner's")
	}
	require.Len(t, names(t, s, ""), 8)
}

// testAtomicVisibility reads and lists while objects appear: each is whole or absent.
func testAtomicVisibility(t *testing.T, s storage.Store) {
	ctx := t.Context()
	const objects, size = 20, 300_000
	var written atomic.Bool
	var group sync.WaitGroup
	group.Go(func() {
		defer written.Store(true)
		for i := range objects {
			assert.NoError(t, storage.WriteObject(ctx, s, fmt.Sprintf("dir/%02d", i), pattern(size, byte(i))))
		}
	})
	for range 2 {
		group.Go(func() {
			for last := false; !last; {
				last = written.Load()
				for info, err := range s.List(ctx, "dir/") {
					if !assert.NoError(t, err) || !assert.EqualValues(t, size, info.Size) {
						return
					}
				}
				for i := range objects {
					data, err := storage.ReadAll(ctx, s, fmt.Sprintf("dir/%02d", i))
					if errors.Is(err, storage.ErrNotExist) && !last {
						continue
					}
					if !assert.NoError(t, err) || !assert.True(t, bytes.Equal(pattern(size, byte(i)), data), "object %d is not whole", i) {
						return
					}
				}
			}
		})
	}
	group.Wait()
}

// testCreateAndDeleteSiblings checks that deleting the last object of a directory does not disturb those who write into it.
func testCreateAndDeleteSiblings(t *testing.T, s storage.Store) {
	ctx := t.Context()
	var group sync.WaitGroup
	for worker := range 4 {
		group.Go(func() {
			for i := range 25 {
				name := fmt.Sprintf("a/b/%d-%d", worker, i)
				if !assert.NoError(t, storage.WriteObject(ctx, s, name, []byte(name))) {
					return
				}
				data, err := storage.ReadAll(ctx, s, name)
				if !assert.NoError(t, err) || !assert.Equal(t, name, string(data)) || !assert.NoError(t, s.Delete(ctx, name)) {
					return
				}
			}
		})
	}
	group.Wait()
	require.Empty(t, names(t, s, ""))
}

// testDeleteWhileReading checks that a reader sees an object, or its successor of the same name, or none, but never a mixture.
func testDeleteWhileReading(t *testing.T, s storage.Store) {
	ctx := t.Context()
	var done atomic.Bool
	var group sync.WaitGroup
	group.Go(func() {
		defer done.Store(true)
		for i := range 30 {
			data := bytes.Repeat([]byte{byte(i)}, 10_000)
			if !assert.NoError(t, storage.WriteObject(ctx, s, "object", data)) || !assert.NoError(t, s.Delete(ctx, "object")) {
				return
			}
		}
	})
	for range 4 {
		group.Go(func() {
			p := make([]byte, 10_000)
			for !done.Load() {
				err := s.ReadAt(ctx, "object", p, 0)
				if errors.Is(err, storage.ErrNotExist) {
					continue
				}
				if !assert.NoError(t, err) || !assert.Equal(t, 10_000, bytes.Count(p, p[:1]), "one read returned bytes of two objects") {
					return
				}
			}
		})
	}
	group.Wait()
}
