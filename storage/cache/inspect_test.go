package cache

import (
	"context"
	"io/fs"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/storage"
	"github.com/firnlog/firn/storage/mem"
)

// moved is a store that says that it is somewhere else.
type moved struct {
	storage.Store
	uri string
}

func (m moved) URI(name string) string { return m.uri + "/" + name }

func TestInspect(t *testing.T) {
	dir := t.TempDir()
	_, err := Inspect(t.Context(), dir, InspectOptions{})
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorContains(t, err, dir)

	inner := mem.New()
	data := content(100_000, 1)
	put(t, inner, "a", data)
	put(t, inner, "b", data)
	c := newClock()
	for _, uri := range []string{"s3://one", "hdfs://two:8020/lake"} {
		s := openCache(t, moved{inner, uri}, Options{Dir: dir, BlockBytes: 16 << 10, Now: c.Now})
		requireRead(t, s, "a", data, 0, 10)
		requireTail(t, s, "b", data, 50_000)
		require.NoError(t, s.Close())
		c.add(time.Hour)
	}
	r, err := Inspect(t.Context(), dir, InspectOptions{Verify: true})
	require.NoError(t, err)
	store := StoreReport{Objects: 2, Blocks: 5, Payload: 50_010}
	require.Len(t, r.Stores, 2)
	store.Bytes = r.Stores[0].Bytes
	require.Greater(t, store.Bytes, store.Payload)
	require.Zero(t, store.Bytes%fileUnit)
	for i, uri := range []string{"hdfs://two:8020/lake/", "s3://one/"} {
		store.URI = uri
		require.Equal(t, store, r.Stores[i])
	}
	require.Equal(t, Report{
		Dir: dir, Objects: 4, Blocks: 10, Bytes: 2 * store.Bytes, Payload: 2 * store.Payload, Stores: r.Stores, Oldest: r.Oldest, Newest: r.Newest,
		BoundBytes: defaultBytes, BoundBlocks: defaultObjects, Counted: r.Counted,
	}, r)
	require.Equal(t, time.Hour, r.Newest.Sub(r.Oldest))
	require.True(t, r.Counted.Equal(newClock().Now()), r.Counted)

	// Damage of a payload is only found by who looks at it.
	path := blockFiles(t, dir)[0]
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	b[0] ^= 1
	require.NoError(t, os.WriteFile(path, b, 0o600))
	for _, verify := range []bool{false, true} {
		r, err = Inspect(t.Context(), dir, InspectOptions{Verify: verify})
		require.NoError(t, err)
		require.Equal(t, verify, r.Damaged == 1)
		require.FileExists(t, path, "nothing is changed")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = Inspect(ctx, dir, InspectOptions{})
	require.ErrorIs(t, err, context.Canceled)
}
