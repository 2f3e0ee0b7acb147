package ingest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/firnlog/firn/catalog"
	"github.com/firnlog/firn/format"
	"github.com/firnlog/firn/storage"
	"github.com/firnlog/firn/storage/faultstore"
	"github.com/firnlog/firn/storage/local"
	"github.com/firnlog/firn/storage/mem"
)

var ctx = context.Background()

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func appendLines(t testing.TB, w *Writer, lines []string) {
	for _, line := range lines {
		require.NoError(t, w.AppendJSON(ctx, []byte(line)))
	}
}

// TestRowsInRowsOut checks that what goes in comes out, whatever the sizes of buffers and files.
func TestRowsInRowsOut(t *testing.T) {
	lines, want := numbered(3000)
	for _, opts := range []Options{
		{}, {BufferBytes: 1}, {BufferBytes: 100 << 10, Parallelism: 1}, {BufferBytes: 300 << 10, TargetFileBytes: 1, Parallelism: 3}, {TargetFileBytes: 20 << 10, Effort: format.EffortFast},
	} {
		if opts.BufferBytes == 1 && testing.Short() {
			continue
		}
		t.Run(fmt.Sprintf("buffer %d file %d", opts.BufferBytes, opts.TargetFileBytes), func(t *testing.T) {
			l := newLake(t, nil)
			n := len(lines)
			if opts.BufferBytes == 1 { // a commit for each row
				n = 20
			}
			w := l.writer(t, l.create(t, catalog.TableSpec{}), opts)
			appendLines(t, w, lines[:n])
			require.NoError(t, w.Close(ctx))
			r := w.Report()
			require.EqualValues(t, n, r.Rows)
			require.EqualValues(t, n, r.CommittedRows)
			require.Equal(t, want[:n], byNumber(l.rows(t, l.load(t))))
			require.Equal(t, l.load(t).SnapshotID(), w.Table().SnapshotID())
			l.checkSidecars(t, l.load(t))
			files, err := l.load(t).Files(ctx)
			require.NoError(t, err)
			require.EqualValues(t, len(files), r.Files)
			var size int64
			for _, f := range files {
				size += f.Size
			}
			require.Equal(t, size, r.DataBytes)
			require.Positive(t, r.IndexBytes)
			require.Len(t, l.objects(t), 2*len(files))
			switch opts.BufferBytes {
			case 0:
				require.EqualValues(t, 1, r.Commits)
				require.Len(t, files, 3)
			case 1:
				require.EqualValues(t, n, r.Commits)
			default:
				require.Greater(t, r.Commits, int64(1))
			}
		})
	}
}

// TestOrder checks that rows with equal microseconds are ordered by the nanosecond, and with equal nanoseconds by arrival.
func TestOrder(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	type row struct{ nanos, number int }
	var rows []row
	l := newLake(t, nil)
	w := l.writer(t, l.create(t, catalog.TableSpec{}), Options{})
	for i := range 2000 {
		r := row{nanos: rng.IntN(500) * 7, number: i}
		rows = append(rows, r)
		require.NoError(t, w.AppendJSON(ctx, fmt.Appendf(nil, `{"ts":"2026-01-01T00:00:00.%09dZ","host":"%d"}`, r.nanos, i)))
	}
	require.NoError(t, w.Close(ctx))
	slices.SortStableFunc(rows, func(a, b row) int { return a.nanos - b.nanos })
	var want []string
	for _, r := range rows {
		want = append(want, fmt.Sprintf("_timestamp=%d host=%d", 1767225600000000+r.nanos/1000, r.number))
	}
	require.Equal(t, want, l.rows(t, l.load(t)))
	require.Greater(t, w.Report().RoundedTimestamps, int64(1000))
}

// TestCommitsArePrefixes looks at the table while rows are appended.
func TestCommitsArePrefixes(t *testing.T) {
	lines, want := numbered(4000)
	l := newLake(t, nil)
	w := l.writer(t, l.create(t, catalog.TableSpec{}), Options{BufferBytes: 100 << 10})
	seen := map[int]bool{}
	for i, line := range lines {
		require.NoError(t, w.AppendJSON(ctx, []byte(line)))
		if i%500 == 0 {
			rows := byNumber(l.rows(t, l.load(t)))
			require.Equal(t, want[:len(rows)], append([]string{}, rows...))
			seen[len(rows)] = true
		}
	}
	require.NoError(t, w.Flush(ctx))
	require.Equal(t, want, byNumber(l.rows(t, l.load(t))))
	require.Greater(t, len(seen), 2)
	require.NoError(t, w.Close(ctx))
}

func TestPartitionColumn(t *testing.T) {
	l := newLake(t, nil)
	w := l.writer(t, l.create(t, catalog.TableSpec{PartitionBy: "app_id"}), Options{})
	for i := range 100 {
		app := []string{`"a/b"`, `"a b"`, `""`, `null`, `"` + strings.Repeat("é", 300) + `"`}[i%5]
		require.NoError(t, w.AppendJSON(ctx, fmt.Appendf(nil, `{"ts":%d,"app_id":%s,"host":"%d"}`, 86400*(i%2), app, i)))
	}
	require.NoError(t, w.Close(ctx))
	require.Len(t, l.rows(t, l.load(t)), 100)
	files, err := l.load(t).Files(ctx)
	require.NoError(t, err)
	require.Len(t, files, 10)
	values := map[any]int{}
	for _, f := range files {
		values[f.Partition["app_id"]]++
	}
	require.Equal(t, map[any]int{"a/b": 2, "a b": 2, "": 2, nil: 2, strings.Repeat("é", 300): 2}, values)
	l.checkSidecars(t, l.load(t))
}

// TestEveryFailure makes every storage operation of a load fail in turn. Whatever fails, the table holds a whole number of commits, each row once.
func TestEveryFailure(t *testing.T) {
	lines, want := numbered(120)
	const buffer = 32 << 10 // two or three commits
	for _, mode := range []faultstore.Mode{faultstore.FailBefore, faultstore.FailAfter} {
		reached := true
		for at := int64(0); reached; at++ {
			if testing.Short() && at%5 > 0 {
				continue
			}
			store := faultstore.New(mem.New())
			l := newLake(t, store)
			table := l.create(t, catalog.TableSpec{})
			store.Inject(faultstore.Fault{Mode: mode, At: at})
			w := l.writer(t, table, Options{BufferBytes: buffer, Parallelism: 2})
			var failure error
			for _, line := range lines {
				if failure = w.AppendJSON(ctx, []byte(line)); failure != nil {
					break
				}
			}
			closed := w.Close(ctx)
			if failure != nil {
				require.Equal(t, failure, closed, "operation %d", at)
			}
			reached = store.Fired() > 0
			store.Heal()
			r := w.Report()
			rows := byNumber(l.rows(t, l.load(t)))
			require.Equal(t, want[:len(rows)], append([]string{}, rows...), "operation %d", at)
			if closed == nil {
				require.Len(t, rows, len(want))
			} else {
				require.ErrorIs(t, closed, faultstore.ErrInjected)
				require.ErrorIs(t, w.AppendJSON(ctx, []byte(lines[0])), ErrClosed)
				if !errors.Is(closed, catalog.ErrCommitUnknown) {
					require.EqualValues(t, r.CommittedRows, len(rows), "operation %d: %v", at, closed)
				}
			}
			if r.SidecarFailures == 0 && r.CommittedRows > 0 {
				l.checkSidecars(t, l.load(t))
			}
			// What does not belong to the table was deleted.
			files, err := l.load(t).Files(ctx)
			require.NoError(t, err)
			require.LessOrEqual(t, len(l.objects(t)), 2*len(files), "operation %d: %v", at, closed)
		}
	}
}

// TestSidecarFailure checks that a sidecar that cannot be stored does not keep the rows back.
func TestSidecarFailure(t *testing.T) {
	lines, want := numbered(100)
	store := faultstore.New(mem.New())
	l := newLake(t, store)
	w := l.writer(t, l.create(t, catalog.TableSpec{}), Options{})
	store.Inject(faultstore.Fault{Times: faultstore.Forever, Match: func(op faultstore.Op) bool { return strings.HasSuffix(op.Name, ".puffin") }})
	appendLines(t, w, lines)
	require.NoError(t, w.Close(ctx))
	require.Equal(t, want, byNumber(l.rows(t, l.load(t))))
	require.EqualValues(t, 3, w.Report().SidecarFailures)
	require.Zero(t, w.Report().IndexBytes)
	require.Len(t, l.objects(t), 3)
}

func TestNoIndex(t *testing.T) {
	lines, want := numbered(100)
	l := newLake(t, nil)
	w := l.writer(t, l.create(t, catalog.TableSpec{Properties: map[string]string{"firn.index.column.log_msg": "none"}}), Options{})
	appendLines(t, w, lines)
	require.NoError(t, w.Close(ctx))
	require.Equal(t, want, byNumber(l.rows(t, l.load(t))))
	require.Len(t, l.objects(t), 3)
	require.Zero(t, w.Report().SidecarFailures)
}

// A gate is a store whose new objects wait until it is opened.
type gate struct {
	storage.Store
	open chan struct{}
}

func (g *gate) Create(ctx context.Context, name string) (storage.Writer, error) {
	if strings.HasSuffix(name, ".parquet") {
		select {
		case <-g.open:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return g.Store.Create(ctx, name)
}

// TestBackPressure checks that appending blocks when both halves of the buffer are taken, within the bound.
func TestBackPressure(t *testing.T) {
	lines, want := numbered(5000)
	g := &gate{Store: mem.New(), open: make(chan struct{})}
	l := newLake(t, g)
	const buffer = 200 << 10
	w := l.writer(t, l.create(t, catalog.TableSpec{}), Options{BufferBytes: buffer})
	taken := 0
	for {
		short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
		err := w.AppendJSON(short, []byte(lines[taken]))
		cancel()
		if err != nil {
			require.ErrorIs(t, err, context.DeadlineExceeded)
			break
		}
		taken++
	}
	require.EqualValues(t, taken, w.Report().Rows)
	require.Greater(t, taken, 500)
	require.LessOrEqual(t, w.active.bytes(), int64(buffer/2+w.pool.size))
	require.ErrorIs(t, flushFor(w, 10*time.Millisecond), context.DeadlineExceeded)
	close(g.open)
	appendLines(t, w, lines[taken:])
	require.NoError(t, w.Close(ctx))
	require.Equal(t, want, byNumber(l.rows(t, l.load(t))))
}

func flushFor(w *Writer, d time.Duration) error {
	short, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	return w.Flush(short)
}

// TestCancel checks that cancelling the Writer's context leaves whole commits and nothing else.
func TestCancel(t *testing.T) {
	lines, want := numbered(6000)
	g := &gate{Store: mem.New(), open: make(chan struct{})}
	l := newLake(t, g)
	table := l.create(t, catalog.TableSpec{})
	running, cancel := context.WithCancel(ctx)
	w, err := NewWriter(running, table, g, Options{BufferBytes: 200 << 10})
	require.NoError(t, err)
	go func() {
		g.open <- struct{}{}
		g.open <- struct{}{}
		g.open <- struct{}{}
		g.open <- struct{}{}
		cancel()
	}() // a commit, and a part of the next
	for _, line := range lines {
		if err = w.AppendJSON(running, []byte(line)); err != nil {
			break
		}
	}
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, w.Close(ctx), context.Canceled)
	require.ErrorIs(t, w.Close(ctx), context.Canceled)
	require.ErrorIs(t, w.AppendJSON(ctx, []byte(lines[0])), ErrClosed)
	rows := byNumber(l.rows(t, l.load(t)))
	require.Equal(t, want[:len(rows)], append([]string{}, rows...))
	require.EqualValues(t, w.Report().CommittedRows, len(rows))
	require.EqualValues(t, 1, w.Report().Commits)
	require.Len(t, l.objects(t), 6)
}

// TestConcurrentAppends appends from several goroutines in every way.
func TestConcurrentAppends(t *testing.T) {
	lines, want := numbered(2000)
	l := newLake(t, nil)
	w := l.writer(t, l.create(t, catalog.TableSpec{}), Options{BufferBytes: 200 << 10})
	var group sync.WaitGroup
	const workers = 4
	for n := range workers {
		group.Go(func() {
			for i := n; i < len(lines); i += workers {
				if err := w.AppendJSON(ctx, []byte(lines[i])); err != nil {
					t.Error(err)
				}
				if i%400 == 0 {
					_ = w.Report()
					if err := w.Flush(ctx); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	group.Wait()
	require.NoError(t, w.Close(ctx))
	require.Equal(t, want, byNumber(l.rows(t, l.load(t))))
}

func TestWriterRefusesWhatItCannotDo(t *testing.T) {
	l := newLake(t, nil)
	table := l.create(t, catalog.TableSpec{Properties: map[string]string{"firn.index.fpp": "7"}})
	_, err := NewWriter(ctx, table, l.store, Options{})
	require.ErrorContains(t, err, "default.logs")
	other := l.create(t, catalog.TableSpec{Name: "other"})
	files, err := local.New(t.TempDir())
	require.NoError(t, err)
	defer files.Close()
	_, err = NewWriter(ctx, other, files, Options{})
	require.ErrorContains(t, err, "not in the store")
	w := l.writer(t, other, Options{})
	require.NoError(t, w.Flush(ctx))
	require.NoError(t, w.Close(ctx))
	require.NoError(t, w.Close(ctx))
	require.ErrorIs(t, w.Flush(ctx), ErrClosed)
	require.Zero(t, w.Report().Commits)
}

func TestTooManyPartitionsInOneCall(t *testing.T) {
	l := newLake(t, nil)
	w := l.writer(t, l.create(t, catalog.TableSpec{}), Options{})
	rows := make([]Row, maxPartitions+1)
	for i := range rows {
		rows[i].Time = time.Unix(int64(i)*86400, 0)
	}
	require.ErrorIs(t, w.Append(ctx, rows...), errTooManyPartitions)
	require.NoError(t, w.Append(ctx, rows[:3]...))
	require.NoError(t, w.Close(ctx))
	require.Len(t, l.rows(t, l.load(t)), 3)
}
