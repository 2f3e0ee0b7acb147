package faultstore_test

import (
	"bytes"
	"context"
	"errors"
	"math/bits"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/storage"
	"github.com/firnlog/firn/storage/faultstore"
	"github.com/firnlog/firn/storage/mem"
	"github.com/firnlog/firn/storage/storetest"
)

// TestConformance runs the suite over a store whose faults only delay.
func TestConformance(t *testing.T) {
	storetest.Run(t, func(testing.TB) storage.Store {
		return faultstore.New(mem.New(), faultstore.Fault{Mode: faultstore.Delay, Delay: time.Microsecond, Times: 100})
	})
}

// work does one operation of each kind and two writes; it returns how far it came.
func work(ctx context.Context, s storage.Store) (steps int, err error) {
	p := make([]byte, 4)
	var w storage.Writer
	for _, step := range []func() error{
		func() error { w, err = s.Create(ctx, "a"); return err },
		func() error { _, err := w.Write([]byte("abcd")); return err },
		func() error { _, err := w.Write([]byte("efgh")); return err },
		func() error { return w.Commit(ctx) },
		func() error { _, err := s.Stat(ctx, "a"); return err },
		func() error { return s.ReadAt(ctx, "a", p, 0) },
		func() error { _, _, err := s.ReadTail(ctx, "a", p); return err },
		func() error {
			for _, err := range s.List(ctx, "") {
				if err != nil {
					return err
				}
			}
			return nil
		},
		func() error { return s.Delete(ctx, "a") },
	} {
		if err := step(); err != nil {
			if w != nil {
				err = errors.Join(err, w.Abort())
			}
			return steps, err
		}
		steps++
	}
	return steps, nil
}

// exists reports whether the object is in the inner store.
func exists(t *testing.T, s storage.Store) bool {
	_, err := s.Stat(t.Context(), "a")
	if err != nil {
		require.ErrorIs(t, err, storage.ErrNotExist)
	}
	return err == nil
}

func TestFailEachOperation(t *testing.T) {
	const operations = 9
	for _, mode := range []faultstore.Mode{faultstore.FailBefore, faultstore.FailAfter} {
		for n := range int64(operations + 1) {
			inner := mem.New()
			s := faultstore.New(inner, faultstore.Fault{Mode: mode, At: n})
			steps, err := work(t.Context(), s)
			if n == operations {
				require.NoError(t, err)
				require.Zero(t, s.Fired())
				require.EqualValues(t, operations, s.Ops())
				continue
			}
			require.ErrorIs(t, err, faultstore.ErrInjected)
			require.EqualValues(t, n, steps, "%v", err)
			require.EqualValues(t, 1, s.Fired())
			// Commit is operation 3 and Delete is operation 8: only these change what is there.
			committed := n > 3 || n == 3 && mode == faultstore.FailAfter
			deleted := n == 8 && mode == faultstore.FailAfter
			require.Equal(t, committed && !deleted, exists(t, inner), "operation %d, mode %d", n, mode)
		}
	}
}

func TestForeverAndHeal(t *testing.T) {
	ctx := t.Context()
	gone := errors.New("the disk is gone")
	s := faultstore.New(mem.New(), faultstore.Fault{At: 4, Times: faultstore.Forever, Err: gone})
	require.NoError(t, storage.WriteObject(ctx, s, "a", []byte("x"))) // operations 0, 1, 2
	_, err := s.Stat(ctx, "a")
	require.NoError(t, err)
	for range 3 {
		_, err := s.Stat(ctx, "a")
		require.ErrorIs(t, err, gone)
		require.NotErrorIs(t, err, faultstore.ErrInjected)
	}
	s.Heal()
	_, err = s.Stat(ctx, "a")
	require.NoError(t, err)
	require.EqualValues(t, 3, s.Fired())
}

func TestMatch(t *testing.T) {
	ctx := t.Context()
	s := faultstore.New(mem.New(), faultstore.Fault{
		Match: func(op faultstore.Op) bool { return op.Kind == faultstore.Commit && op.Name == "b" }, Times: 2,
	})
	require.NoError(t, storage.WriteObject(ctx, s, "a", nil))
	for range 2 {
		require.ErrorContains(t, storage.WriteObject(ctx, s, "b", nil), `Commit "b"`)
	}
	require.NoError(t, storage.WriteObject(ctx, s, "b", nil))
}

func TestTruncate(t *testing.T) {
	ctx := t.Context()
	s := faultstore.New(mem.New())
	require.NoError(t, storage.WriteObject(ctx, s, "a", []byte("0123456789")))
	s.Inject(faultstore.Fault{Mode: faultstore.Truncate, Keep: 0.6, Times: faultstore.Forever})
	info, err := s.Stat(ctx, "a")
	require.NoError(t, err)
	require.EqualValues(t, 6, info.Size)
	p := make([]byte, 4)
	require.NoError(t, s.ReadAt(ctx, "a", p, 2))
	require.Equal(t, "2345", string(p))
	require.ErrorIs(t, s.ReadAt(ctx, "a", p, 3), storage.ErrRange)
	n, size, err := s.ReadTail(ctx, "a", p)
	require.NoError(t, err)
	require.EqualValues(t, 6, size)
	require.Equal(t, "2345", string(p[:n]))
	data, err := storage.ReadAll(ctx, s, "a")
	require.NoError(t, err)
	require.Equal(t, "012345", string(data))
}

func TestFlipBit(t *testing.T) {
	ctx := t.Context()
	data := bytes.Repeat([]byte{0x55}, 100)
	s := faultstore.New(mem.New())
	require.NoError(t, storage.WriteObject(ctx, s, "a", data))
	for seed := range uint64(20) {
		s.Inject(faultstore.Fault{Mode: faultstore.FlipBit, Seed: seed, Times: 2})
		for _, read := range []func(p []byte) error{
			func(p []byte) error { return s.ReadAt(ctx, "a", p, 0) },
			func(p []byte) error { _, _, err := s.ReadTail(ctx, "a", p); return err },
		} {
			p := make([]byte, len(data))
			require.NoError(t, read(p))
			flipped := 0
			for i := range p {
				flipped += bits.OnesCount8(p[i] ^ data[i])
			}
			require.Equal(t, 1, flipped)
		}
		s.Heal()
	}
	undamaged, err := storage.ReadAll(ctx, s, "a")
	require.NoError(t, err)
	require.Equal(t, data, undamaged, "the object itself is as it was")
}

func TestDelayEndsWithContext(t *testing.T) {
	s := faultstore.New(mem.New(), faultstore.Fault{Mode: faultstore.Delay, Delay: time.Hour, Times: faultstore.Forever})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	_, err := s.Stat(ctx, "a")
	require.ErrorIs(t, err, context.DeadlineExceeded)
}
