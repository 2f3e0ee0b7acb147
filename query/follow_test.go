package query

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apache/iceberg-go/table"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/firnlog/firn/catalog"
	"github.com/firnlog/firn/format"
	"github.com/firnlog/firn/storage"
	"github.com/firnlog/firn/storage/faultstore"
	"github.com/firnlog/firn/storage/mem"
)

// followLab is a table that is written and followed.
type followLab struct {
	*testTable
	*foreign
	t       *testing.T
	catalog *catalog.Catalog
	faults  *faultstore.Store // between the follower and the storage
	random  *rand.Rand
	mu      sync.Mutex
	written int // files

	idle  chan time.Duration // the follower waits for so long
	steps chan struct{}      // ends its waiting

	followed sync.Mutex // guards what follows
	rows     []string
	notices  []string
	err      error
	ended    chan struct{}
}

func newFollowLab(t *testing.T) *followLab {
	t.Helper()
	store := mem.New()
	l := &followLab{
		t: t, faults: faultstore.New(store), random: rand.New(rand.NewPCG(8, 0)),
		idle: make(chan time.Duration), steps: make(chan struct{}), ended: make(chan struct{}), testTable: &testTable{store: store},
		foreign: &foreign{store: store, database: filepath.Join(t.TempDir(), "catalog.db"), name: table.Identifier{"default", "web"}},
	}
	var err error
	l.catalog, err = catalog.Open(context.Background(), catalog.Options{Store: l.faults, URI: "sqlite://" + l.database})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.catalog.Close()) })
	l.create()
	return l
}

func (l *followLab) create() {
	_, err := l.catalog.Create(context.Background(), catalog.TableSpec{Name: "web"})
	require.NoError(l.t, err)
}

func (l *followLab) load(ctx context.Context) (*catalog.Table, error) {
	return l.catalog.Load(ctx, "web")
}

// write stores n files of a few rows each, in one snapshot, and returns the ids of their rows and their paths.
func (l *followLab) write(n int) (ids, paths []string) {
	l.t.Helper()
	now, err := l.load(context.Background())
	require.NoError(l.t, err)
	var added []catalog.NewFile
	for range n {
		l.mu.Lock()
		number := l.written
		l.written++
		file, add := l.makeFile(l.t, l.random, now, tableSpec{index: "none", rowsPerFile: 5, options: format.WriterOptions{}}, number)
		l.mu.Unlock()
		for _, rec := range file.records {
			ids = append(ids, rec.cells["trace_id"].(string))
		}
		added, paths = append(added, add), append(paths, file.uri)
	}
	_, err = now.Append(context.Background(), added, catalog.AppendOptions{})
	require.NoError(l.t, err)
	return ids, paths
}

// follow begins to follow the table, up to its first waiting, and ends at the end of the test.
func (l *followLab) follow(q Query, o FollowOptions) {
	l.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	l.t.Cleanup(func() { cancel(); <-l.ended })
	e := NewEngine(l.faults, EngineOptions{Logger: slog.New(slog.DiscardHandler)})
	e.wait = func(ctx context.Context, d time.Duration) error {
		select {
		case l.idle <- d:
		case <-ctx.Done():
			return ctx.Err()
		}
		select {
		case <-l.steps:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	o.Notice = func(text string) {
		l.followed.Lock()
		defer l.followed.Unlock()
		l.notices = append(l.notices, text)
	}
	go func() {
		defer close(l.ended)
		for row, err := range e.Follow(ctx, l.load, q, o) {
			l.followed.Lock()
			if err != nil {
				l.err = err
			} else {
				l.rows = append(l.rows, row.Text("trace_id"))
			}
			l.followed.Unlock()
		}
	}()
	l.settle()
}

// settle waits until the follower waits, and returns for how long it wants to; 0: it ended.
func (l *followLab) settle() time.Duration {
	select {
	case d := <-l.idle:
		return d
	case <-l.ended:
		return 0
	}
}

// poll lets the follower look at the table, and returns the rows and notices since.
func (l *followLab) poll() (rows, notices []string, wait time.Duration) {
	select {
	case l.steps <- struct{}{}:
	case <-l.ended:
	}
	wait = l.settle()
	l.followed.Lock()
	defer l.followed.Unlock()
	rows, notices = l.rows, l.notices
	l.rows, l.notices = nil, nil
	return rows, notices, wait
}

// expect polls, and wants these rows and a notice with each of these texts.
func (l *followLab) expect(rows []string, notices ...string) {
	l.t.Helper()
	got, told, _ := l.poll()
	require.ElementsMatch(l.t, rows, got)
	require.Len(l.t, told, len(notices), "%q", told)
	for i, text := range notices {
		require.Contains(l.t, told[i], text)
	}
}

func TestFollowBeginsWithTheLastRows(t *testing.T) {
	l := newFollowLab(t)
	old, _ := l.write(2)
	q := Request{Limit: 3}
	e := NewEngine(l.faults, EngineOptions{})
	now, err := l.load(context.Background())
	require.NoError(t, err)
	newest, _ := collect(t, e, now, q)
	l.follow(Query{}, FollowOptions{Last: 3})
	want := idsOf(newest)
	slices.Reverse(want)
	require.Equal(t, want, l.rows)
	require.Subset(t, old, l.rows)
	l.rows = nil
	l.expect(nil)
	fresh, _ := l.write(1)
	l.expect(fresh)
	l.expect(nil)
}

// Rows of one look come oldest first, of several snapshots and old days too; and only those that match.
func TestFollowOrderAndCondition(t *testing.T) {
	l := newFollowLab(t)
	l.follow(Query{Where: Not{Equal{Col("level"), "INFO"}}}, FollowOptions{})
	for range 3 {
		l.write(4)
	}
	now, err := l.load(context.Background())
	require.NoError(t, err)
	rows, _ := collect(t, NewEngine(l.faults, EngineOptions{}), now, Request{Predicate: Not{Equal{Col("level"), "INFO"}}, Order: OldestFirst})
	require.NotEmpty(t, rows)
	got, _, _ := l.poll()
	require.Equal(t, idsOf(rows), got)
}

// Rows are written by several goroutines while they are followed; files are replaced in between. Each comes exactly once.
func TestFollowExactlyOnce(t *testing.T) {
	l := newFollowLab(t)
	l.follow(Query{}, FollowOptions{})
	var wanted []string
	var mu sync.Mutex
	var group errgroup.Group
	for range 3 {
		group.Go(func() error {
			for range 6 {
				ids, _ := l.write(1)
				mu.Lock()
				wanted = append(wanted, ids...)
				mu.Unlock()
			}
			return nil
		})
	}
	var done atomic.Bool
	go func() { _ = group.Wait(); done.Store(true) }()
	var got []string
	for !done.Load() {
		rows, notices, _ := l.poll()
		require.Empty(t, notices)
		got = append(got, rows...)
	}
	rows, _, _ := l.poll()
	require.ElementsMatch(t, wanted, append(got, rows...))
}

func TestFollowIgnoresRewrites(t *testing.T) {
	l := newFollowLab(t)
	before, paths := l.write(2)
	l.follow(Query{}, FollowOptions{Last: 100})
	require.ElementsMatch(t, before, l.rows)
	l.rows = nil
	fresh, more := l.write(2)
	old := map[string]string{}
	for _, path := range append(paths, more...) {
		old[path] = path + ".rewritten.parquet"
		l.put(t, old[path], l.bytesOf(t, l.nameOf(path)))
	}
	l.rewrite(t, old)
	now, err := l.load(context.Background())
	require.NoError(t, err)
	chain, _ := now.Ancestors()
	require.Equal(t, catalog.OperationReplace, chain[0].Operation)
	l.expect(fresh)
	l.expect(nil)
	last, _ := l.write(1)
	l.expect(last)
}

func (l *followLab) nameOf(uri string) string {
	name, ok := storage.NameOf(l.testTable.store, uri)
	require.True(l.t, ok)
	return name
}

func TestFollowTellsOfHistoryThatChanged(t *testing.T) {
	l := newFollowLab(t)
	l.write(1)
	l.follow(Query{}, FollowOptions{})
	first, _ := l.write(1)
	l.expect(first)
	now, err := l.load(context.Background())
	require.NoError(t, err)

	lost, _ := l.write(1)
	l.expect(lost)
	l.rollBack(t, now.SnapshotID())
	l.expect(nil, "rolled back")
	after, _ := l.write(1)
	l.expect(after)

	l.write(1)
	kept, _ := l.write(1)
	l.expire(t)
	l.expect(kept, "expired")

	require.NoError(t, l.catalog.Drop(context.Background(), "web"))
	l.expect(nil, "not there any more")
	l.expect(nil)
	l.create()
	anew, _ := l.write(2)
	l.expect(anew, "made anew")
	anew, _ = l.write(1)
	l.expect(anew)
}

// Whatever operation of the storage fails while new rows are looked for and read, each row comes exactly once.
func TestFollowSurvivesFailures(t *testing.T) {
	l := newFollowLab(t)
	l.follow(Query{}, FollowOptions{})
	hits := 0
	for n := int64(0); ; n++ {
		ids, _ := l.write(2)
		l.faults.Inject(faultstore.Fault{At: n})
		fired := l.faults.Fired()
		var got []string
		for len(got) < len(ids) {
			rows, notices, wait := l.poll()
			require.Empty(t, notices)
			require.NotZero(t, wait, "%v", l.err)
			got = append(got, rows...)
			require.LessOrEqual(t, wait, mostFollowWait)
		}
		require.ElementsMatch(t, ids, got)
		l.faults.Heal()
		if l.faults.Fired() == fired {
			break
		}
		hits++
	}
	require.Greater(t, hits, 3)
	rows, _, _ := l.poll()
	require.Empty(t, rows)
}

// With files gone for good because their snapshot was expired, the rest goes on; whether that is noticed when the search is planned or when it reads.
func TestFollowGoesOnWithoutLostFiles(t *testing.T) {
	for _, limit := range []int{0, 1000} {
		l := newFollowLab(t)
		l.write(1)
		l.follow(Query{Limit: limit}, FollowOptions{})
		_, paths := l.write(1)
		require.NoError(t, l.testTable.store.Delete(context.Background(), l.nameOf(paths[0])))
		rows, notices, wait := l.poll()
		require.Empty(t, rows)
		require.Empty(t, notices)
		require.Greater(t, wait, DefaultFollowInterval, "it is tried again later, as the table still has the file")
		fresh, _ := l.write(1)
		l.expire(t)
		if limit == 0 {
			l.expect(fresh, "expired before they were looked at")
			continue
		}
		l.expect(nil, "removed before they were read")
		l.expect(fresh, "expired before they were looked at")
	}
}

func TestFollowLimits(t *testing.T) {
	l := newFollowLab(t)
	l.write(1)
	l.follow(Query{Limit: 7}, FollowOptions{Last: 3})
	require.Len(t, l.rows, 3)
	l.rows = nil
	l.write(1)
	rows, _, wait := l.poll()
	require.Len(t, rows, 4)
	require.Zero(t, wait)
	require.NoError(t, l.err)
}

func TestFollowRefuses(t *testing.T) {
	l := newFollowLab(t)
	e := NewEngine(l.faults, EngineOptions{})
	for _, test := range []struct {
		q Query
		o FollowOptions
	}{
		{q: Query{Aggregates: []Aggregate{{Function: FuncCount}}}}, {q: Query{GroupBy: []Group{{Column: Col("level")}}}},
		{q: Query{OrderBy: []Sort{{Column: Col("_timestamp")}}}}, {q: Query{Where: HasToken{Col("_timestamp"), "x"}}}, {o: FollowOptions{Last: -1}},
		{o: FollowOptions{Interval: -1}}, {q: Query{Columns: []Column{Col("day.x.y"), {Name: "no"}, {Name: "no"}}}},
	} {
		var got error
		for _, err := range e.Follow(context.Background(), l.load, test.q, test.o) {
			got = err
		}
		require.ErrorIs(t, got, ErrInvalidRequest, "%+v", test)
	}
	missing := func(ctx context.Context) (*catalog.Table, error) { return l.catalog.Load(ctx, "none") }
	for _, err := range e.Follow(context.Background(), missing, Query{}, FollowOptions{}) {
		require.ErrorIs(t, err, catalog.ErrTableNotFound)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, err := range e.Follow(ctx, l.load, Query{}, FollowOptions{}) {
		require.NoError(t, err, "a cancelled context ends it without an error")
	}
}

// An error that trying again cannot mend ends the iteration.
func TestFollowEndsWhereNothingHelps(t *testing.T) {
	l := newFollowLab(t)
	l.follow(Query{}, FollowOptions{})
	_, paths := l.write(1)
	name := l.nameOf(paths[0])
	content := l.bytesOf(t, name)
	for i := range content {
		content[i] ^= 0x55
	}
	l.put(t, paths[0], content)
	rows, _, wait := l.poll()
	require.Empty(t, rows)
	require.Zero(t, wait)
	require.True(t, errors.Is(l.err, format.ErrCorrupt), fmt.Sprint(l.err))
}
