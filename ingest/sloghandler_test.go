package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/slogtest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/catalog"
	"github.com/firnlog/firn/storage/faultstore"
	"github.com/firnlog/firn/storage/mem"
)

// A clock whose ticks come when a test sends them.
type clock chan time.Time

func (c clock) newTicker(time.Duration) (<-chan time.Time, func()) { return c, func() {} }

func newSlog(t *testing.T, l *lake, w Options, opts SlogOptions) *SlogHandler {
	if opts.NewTicker == nil {
		opts.NewTicker = make(clock).newTicker
	}
	return NewSlogHandler(ctx, l.writer(t, l.create(t, catalog.TableSpec{}), w), opts)
}

// TestSlogHandlerKeepsSlogsRules runs the standard library's tests of handlers.
func TestSlogHandlerKeepsSlogsRules(t *testing.T) {
	noTime := time.Date(1999, 9, 9, 0, 0, 0, 0, time.UTC)
	var h *SlogHandler
	var l *lake
	slogtest.Run(t, func(t *testing.T) slog.Handler {
		l = newLake(t, nil)
		h = newSlog(t, l, Options{}, SlogOptions{Now: func() time.Time { return noTime }})
		return h
	}, func(t *testing.T) map[string]any {
		require.NoError(t, h.Close(ctx))
		rows := l.rows(t, l.load(t))
		require.Len(t, rows, 1)
		return unflatten(rows[0], fmt.Sprintf("_timestamp=%d", noTime.UnixMicro()))
	})
}

// unflatten turns a rendered row back into nested maps, with slog's names for what is built in.
func unflatten(row, noTime string) map[string]any {
	out := map[string]any{}
	for _, part := range strings.Fields(strings.NewReplacer("[", "", "]", "").Replace(row)) {
		name, text, _ := strings.Cut(part, "=")
		switch name {
		case "_timestamp":
			if part != noTime {
				out[slog.TimeKey] = text
			}
			continue
		case "log_msg":
			name = slog.MessageKey
		}
		path := strings.Split(name, ".")
		at := out
		for _, group := range path[:len(path)-1] {
			next, ok := at[group].(map[string]any)
			if !ok {
				next = map[string]any{}
				at[group] = next
			}
			at = next
		}
		at[path[len(path)-1]] = text
	}
	return out
}

func TestSlogHandlerColumns(t *testing.T) {
	l := newLake(t, nil)
	h := newSlog(t, l, Options{}, SlogOptions{Level: slog.LevelDebug, AppID: "shop", Host: "h1", AddSource: true})
	log := slog.New(h)
	mutable := map[string]int{"a": 1}
	log.Info("hello", "trace_id", "t", "err", errors.New("bad"), "m", mutable, "took", time.Second)
	mutable["a"] = 2
	log.With("host", "h2", "level", "mine").WithGroup("g").With("a", 1).WithGroup("h").Debug("nested", "b", 2, slog.Group("", slog.Int("c", 3)))
	require.NoError(t, h.Flush(ctx))
	rows := l.rows(t, l.load(t))
	require.Len(t, rows, 2)
	for _, part := range []string{"app_id=shop level=INFO host=h1 trace_id=t log_msg=hello", "err=bad", `m={"a":1}`, "took=1s", "source.file=", "sloghandler_test.go", "source.function="} {
		require.Contains(t, rows[0], part)
	}
	for _, part := range []string{"app_id=shop level=DEBUG host=h2 log_msg=nested", "level=mine", "g.a=1", "g.h.b=2", "g.h.c=3"} {
		require.Contains(t, rows[1], part)
	}
	require.False(t, slog.New(newSlogLevel(h)).Enabled(ctx, slog.LevelDebug-1))
	require.NoError(t, h.Close(ctx))
	require.NoError(t, h.Close(ctx))
	require.ErrorIs(t, h.Handle(ctx, slog.Record{}), ErrClosed)
	require.ErrorIs(t, h.Flush(ctx), ErrClosed)
	require.EqualValues(t, 1, h.Dropped())
}

func newSlogLevel(h *SlogHandler) slog.Handler { return h.WithGroup("").WithAttrs(nil) }

func TestSlogHandlerCommitsOnTicks(t *testing.T) {
	l := newLake(t, nil)
	ticks := make(clock)
	h := newSlog(t, l, Options{}, SlogOptions{NewTicker: ticks.newTicker})
	for i := range 3 {
		slog.New(h).Info("row", "i", i)
		require.Eventually(t, func() bool { return len(h.sink.queue) == 0 }, 5*time.Second, time.Millisecond)
		require.Eventually(t, func() bool {
			ticks <- time.Time{}
			return len(l.rows(t, l.load(t))) == i+1
		}, 5*time.Second, 5*time.Millisecond)
	}
	require.NoError(t, h.Close(ctx))
}

// TestSlogHandlerDrops checks that a stuck storage does not stop the program, and that what is lost is counted.
func TestSlogHandlerDrops(t *testing.T) {
	g := &gate{Store: mem.New(), open: make(chan struct{})}
	l := newLake(t, g)
	h := newSlog(t, l, Options{BufferBytes: 16 << 10}, SlogOptions{QueueRows: 100})
	const n = 5000
	for i := range n {
		slog.New(h).Info("a message of some length that fills the buffer", "i", i)
	}
	require.Positive(t, h.Dropped())
	close(g.open)
	require.NoError(t, h.Close(ctx))
	require.EqualValues(t, n, int(h.Dropped())+len(l.rows(t, l.load(t))))
}

func TestSlogHandlerBlocks(t *testing.T) {
	l := newLake(t, nil)
	h := newSlog(t, l, Options{BufferBytes: 64 << 10}, SlogOptions{QueueRows: 1, Block: true})
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for i := range 500 {
				slog.New(h).Info("row", "i", i)
			}
		})
	}
	group.Wait()
	require.NoError(t, h.Close(ctx))
	require.Zero(t, h.Dropped())
	require.Len(t, l.rows(t, l.load(t)), 2000)
}

func TestSlogHandlerTellsErrors(t *testing.T) {
	store := faultstore.New(mem.New())
	l := newLake(t, store)
	var mu sync.Mutex
	var told []error
	ticks := make(clock)
	h := newSlog(t, l, Options{}, SlogOptions{NewTicker: ticks.newTicker, OnError: func(err error) {
		mu.Lock()
		defer mu.Unlock()
		told = append(told, err)
	}})
	store.Inject(faultstore.Fault{Times: faultstore.Forever, Match: func(op faultstore.Op) bool { return strings.HasSuffix(op.Name, ".parquet") }})
	slog.New(h).Info("lost")
	require.ErrorIs(t, h.Flush(ctx), faultstore.ErrInjected)
	slog.New(h).Info("lost, too")
	require.Eventually(t, func() bool { return h.Dropped() == 1 }, 5*time.Second, time.Millisecond)
	ticks <- time.Time{}
	require.ErrorIs(t, h.Close(ctx), faultstore.ErrInjected)
	mu.Lock()
	defer mu.Unlock()
	require.NotEmpty(t, told)
	require.ErrorIs(t, errors.Join(told...), faultstore.ErrInjected)
	require.ErrorContains(t, errors.Join(told...), "1 log records were dropped so far")
}

func TestSlogHandlerEndsWithItsContext(t *testing.T) {
	l := newLake(t, nil)
	running, cancel := context.WithCancel(ctx)
	w, err := NewWriter(running, l.create(t, catalog.TableSpec{}), l.store, Options{})
	require.NoError(t, err)
	h := NewSlogHandler(running, w, SlogOptions{})
	slog.New(h).Info("late")
	cancel()
	require.ErrorIs(t, h.Close(ctx), context.Canceled)
	require.ErrorIs(t, h.Flush(ctx), ErrClosed)
	require.ErrorIs(t, h.Handle(ctx, slog.Record{}), ErrClosed)
	_ = w.Close(ctx)
	require.Empty(t, l.rows(t, l.load(t)))
}
