package catalog

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apache/iceberg-go/table"
	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/storage/faultstore"
	"github.com/firnlog/firn/storage/mem"
)

var errConnection = errors.New("connection reset by peer")

// shakyBackend loses answers: the n-th commitTable (from 1) and the n-th LoadTable do what the functions say.
type shakyBackend struct {
	backend
	commits, loads atomic.Int64
	onCommit       func(n int64, do func() (table.Metadata, string, error)) (table.Metadata, string, error)
	onLoad         func(n int64) error
}

func (s *shakyBackend) commitTable(ctx context.Context, base *table.Table, requirements []table.Requirement, updates []table.Update,
	written func() error) (table.Metadata, string, error) {
	if err := written(); err != nil {
		return nil, "", fmt.Errorf("%w: %w", errNotCommitted, err)
	}
	// What happens late happens without the client, whose context is long gone.
	do := func() (table.Metadata, string, error) {
		return s.backend.commitTable(context.WithoutCancel(ctx), base, requirements, updates, written)
	}
	if s.onCommit == nil {
		return do()
	}
	return s.onCommit(s.commits.Add(1), do)
}

func (s *shakyBackend) LoadTable(ctx context.Context, ident table.Identifier) (*table.Table, error) {
	if s.onLoad != nil {
		if err := s.onLoad(s.loads.Add(1)); err != nil {
			return nil, err
		}
	}
	return s.backend.LoadTable(ctx, ident)
}

// shake puts a shakyBackend under a lake, and takes the waiting out.
func shake(l lake) *shakyBackend {
	shaky := &shakyBackend{backend: l.backend}
	l.Catalog.backend = shaky
	l.wait = func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
	return shaky
}

func oneFile(t *testing.T, l lake, tbl *Table) []NewFile {
	t.Helper()
	return []NewFile{l.write(t, tbl, []logRow{message("2026-11-22T10:00:00Z", "x")})}
}

// requireOnce wants the files of the appends so far, once each, seen by a fresh process.
func requireOnce(t *testing.T, l lake, want int) *Table {
	t.Helper()
	fresh, err := openLakeOn(t, l.dir, l.store).Load(context.Background(), "web")
	require.NoError(t, err)
	files, rows := totalRows(t, fresh)
	require.Equal(t, want, files)
	require.EqualValues(t, want, rows)
	require.Len(t, fresh.Snapshots(), want)
	return fresh
}

func TestLostAnswerOfACommitThatHappened(t *testing.T) {
	ctx := context.Background()
	l := newLake(t)
	tbl := l.create(t, TableSpec{Name: "web"})
	shaky := shake(l)
	shaky.onCommit = func(n int64, do func() (table.Metadata, string, error)) (table.Metadata, string, error) {
		metadata, location, err := do()
		if n == 1 {
			require.NoError(t, err)
			return nil, "", errConnection
		}
		return metadata, location, err
	}
	after, err := tbl.Append(ctx, oneFile(t, l, tbl), AppendOptions{})
	require.NoError(t, err)
	require.EqualValues(t, 1, shaky.commits.Load(), "never tried again")
	require.Equal(t, after.SnapshotID(), requireOnce(t, l, 1).SnapshotID())
	_, err = after.Append(ctx, oneFile(t, l, tbl), AppendOptions{})
	require.NoError(t, err)
	requireOnce(t, l, 2)
}

func TestLostAnswerOfACommitThatDidNotHappen(t *testing.T) {
	ctx := context.Background()
	l := newLake(t)
	tbl := l.create(t, TableSpec{Name: "web"})
	shaky := shake(l)
	shaky.onCommit = func(n int64, do func() (table.Metadata, string, error)) (table.Metadata, string, error) {
		if n <= 2 {
			return nil, "", errConnection
		}
		return do()
	}
	_, err := tbl.Append(ctx, oneFile(t, l, tbl), AppendOptions{})
	require.NoError(t, err)
	require.EqualValues(t, 3, shaky.commits.Load())
	requireOnce(t, l, 1)
}

// TestCommitThatHappensLate carries a request out only when the next one arrives, as a server may after the client gave up.
func TestCommitThatHappensLate(t *testing.T) {
	ctx := context.Background()
	l := newLake(t)
	tbl := l.create(t, TableSpec{Name: "web"})
	shaky := shake(l)
	var late func() (table.Metadata, string, error)
	shaky.onCommit = func(n int64, do func() (table.Metadata, string, error)) (table.Metadata, string, error) {
		if n == 1 {
			late = do
			return nil, "", errConnection
		}
		_, _, err := late()
		require.NoError(t, err)
		return do()
	}
	_, err := tbl.Append(ctx, oneFile(t, l, tbl), AppendOptions{})
	require.NoError(t, err)
	require.EqualValues(t, 2, shaky.commits.Load(), "the second attempt lost, and the first one was found")
	requireOnce(t, l, 1)
}

func TestLateCommitAfterTheRetryWon(t *testing.T) {
	ctx := context.Background()
	l := newLake(t)
	tbl := l.create(t, TableSpec{Name: "web"})
	shaky := shake(l)
	var late func() (table.Metadata, string, error)
	shaky.onCommit = func(n int64, do func() (table.Metadata, string, error)) (table.Metadata, string, error) {
		if n == 1 {
			late = do
			return nil, "", errConnection
		}
		return do()
	}
	_, err := tbl.Append(ctx, oneFile(t, l, tbl), AppendOptions{})
	require.NoError(t, err)
	_, _, err = late()
	require.ErrorIs(t, err, table.ErrCommitFailed)
	requireOnce(t, l, 1)
}

// TestGivenUpWhileTheServerIsFrozen gives up after an attempt without an answer, which is carried out afterwards.
func TestGivenUpWhileTheServerIsFrozen(t *testing.T) {
	l := newLake(t)
	tbl := l.create(t, TableSpec{Name: "web"})
	shaky := shake(l)
	ctx, cancel := context.WithCancel(context.Background())
	var late func() (table.Metadata, string, error)
	shaky.onCommit = func(_ int64, do func() (table.Metadata, string, error)) (table.Metadata, string, error) {
		late = do
		cancel()
		return nil, "", errConnection
	}
	_, err := tbl.Append(ctx, oneFile(t, l, tbl), AppendOptions{})
	require.ErrorIs(t, err, ErrCommitUnknown)
	_, _, err = late()
	require.NoError(t, err)
	requireOnce(t, l, 1)

	// Once another commit has moved the table on, it is certain that nothing will come of the attempt.
	ctx, cancel = context.WithCancel(context.Background())
	other := l.open(t)
	theirs, err := other.Load(context.Background(), "web")
	require.NoError(t, err)
	shaky.onCommit = func(_ int64, do func() (table.Metadata, string, error)) (table.Metadata, string, error) {
		late = do
		_, err := theirs.Append(context.Background(), oneFile(t, l, tbl), AppendOptions{})
		require.NoError(t, err)
		cancel()
		return nil, "", errConnection
	}
	_, err = tbl.Append(ctx, oneFile(t, l, tbl), AppendOptions{})
	require.ErrorIs(t, err, context.Canceled)
	require.NotErrorIs(t, err, ErrCommitUnknown)
	_, _, err = late()
	require.ErrorIs(t, err, table.ErrCommitFailed)
	requireOnce(t, l, 2)
}

// doubledPointers carries every swap out twice, as a proxy may that lost the first answer.
type doubledPointers struct{ pointerStore }

func (d doubledPointers) swap(ctx context.Context, ident table.Identifier, from, to string) (bool, error) {
	if _, err := d.pointerStore.swap(ctx, ident, from, to); err != nil {
		return false, err
	}
	return d.pointerStore.swap(ctx, ident, from, to)
}

func TestSwapThatLosesAgainstItself(t *testing.T) {
	needsPointers(t)
	ctx := context.Background()
	l := newLake(t)
	tbl := l.create(t, TableSpec{Name: "web"})
	b := l.backend.(*pointerBackend)
	b.pointers = doubledPointers{b.pointers}
	for range 3 {
		_, err := tbl.Append(ctx, oneFile(t, l, tbl), AppendOptions{})
		require.NoError(t, err)
	}
	requireOnce(t, l, 3)
}

func TestOutcomeThatCannotBeLookedUp(t *testing.T) {
	ctx := context.Background()
	l := newLake(t)
	tbl := l.create(t, TableSpec{Name: "web"})
	shaky := shake(l)
	shaky.onCommit = func(_ int64, do func() (table.Metadata, string, error)) (table.Metadata, string, error) {
		_, _, err := do()
		require.NoError(t, err)
		return nil, "", errConnection
	}
	waits := 0
	l.wait = func(context.Context, time.Duration) error {
		if waits++; waits > 20 {
			return context.DeadlineExceeded
		}
		return nil
	}
	shaky.onLoad = func(n int64) error { // the first is the attempt's own
		if n > 1 {
			return errConnection
		}
		return nil
	}
	_, err := tbl.Append(ctx, oneFile(t, l, tbl), AppendOptions{})
	require.ErrorIs(t, err, ErrCommitUnknown)
	require.ErrorIs(t, err, errConnection)
	require.EqualValues(t, 1, shaky.commits.Load())
	requireOnce(t, l, 1) // it did happen, and was not tried again

	// The same, but the catalog comes back while it is being asked.
	shaky.onLoad = func(n int64) error {
		if n%5 != 0 {
			return errConnection
		}
		return nil
	}
	shaky.loads.Store(4)
	waits = 0
	_, err = tbl.Append(ctx, oneFile(t, l, tbl), AppendOptions{})
	require.NoError(t, err)
	requireOnce(t, l, 2)
}

func TestCancelledWhileCommitting(t *testing.T) {
	l := newLake(t)
	tbl := l.create(t, TableSpec{Name: "web"})
	shaky := shake(l)
	for round, happens := range []bool{true, false, true} {
		ctx, cancel := context.WithCancel(context.Background())
		shaky.onCommit = func(_ int64, do func() (table.Metadata, string, error)) (table.Metadata, string, error) {
			if happens {
				_, _, err := do()
				require.NoError(t, err)
			}
			cancel()
			return nil, "", ctx.Err()
		}
		_, err := tbl.Append(ctx, oneFile(t, l, tbl), AppendOptions{})
		if happens {
			require.NoError(t, err, "round %d", round)
		} else {
			require.ErrorIs(t, err, context.Canceled)
			require.ErrorIs(t, err, ErrCommitUnknown, "nobody can know that it never will")
		}
	}
	requireOnce(t, l, 2)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := tbl.Append(ctx, oneFile(t, l, tbl), AppendOptions{})
	require.ErrorIs(t, err, context.Canceled)
	requireOnce(t, l, 2)
}

func TestConflictWithoutEnd(t *testing.T) {
	ctx := context.Background()
	if onServer() {
		t.Skip("the server does not know this store")
	}
	l := openLakeOn(t, t.TempDir(), mem.New())
	tbl := l.create(t, TableSpec{Name: "web"})
	shaky := shake(l)
	shaky.onCommit = func(int64, func() (table.Metadata, string, error)) (table.Metadata, string, error) {
		return nil, "", fmt.Errorf("%w: again", table.ErrCommitFailed)
	}
	_, err := tbl.Append(ctx, oneFile(t, l, tbl), AppendOptions{})
	require.ErrorIs(t, err, ErrConflict)
	require.EqualValues(t, maxAttempts, shaky.commits.Load())
	requireNoLitter(t, l, requireOnce(t, l, 0))
}

func TestLostAnswersOfSchemaChanges(t *testing.T) {
	ctx := context.Background()
	l := newLake(t)
	tbl := l.create(t, TableSpec{Name: "web", Columns: []Column{{Name: "n", Type: TypeInt}}})
	shaky := shake(l)
	shaky.onCommit = func(n int64, do func() (table.Metadata, string, error)) (table.Metadata, string, error) {
		_, _, err := do()
		require.NoError(t, err)
		return nil, "", errConnection
	}
	tbl, err := tbl.UpdateSchema(ctx, AddColumn{Column{Name: "status", Type: TypeInt}}, RenameColumn{From: ColumnHost, To: "machine"},
		WidenColumn{Name: "n", Type: TypeLong})
	require.NoError(t, err)
	tbl, err = tbl.SetProperties(ctx, map[string]string{"a": "b", "owner": ""})
	require.NoError(t, err)
	require.Equal(t, "b", tbl.Properties()["a"])
	require.EqualValues(t, 2, shaky.commits.Load())
	ids := columnIDs(tbl)
	require.Contains(t, ids, "machine")
	require.Contains(t, ids, "status")
	require.Len(t, ids, 9)
}

// dyingPointers fails to move pointers, as a process that dies before it gets there.
type dyingPointers struct{ pointerStore }

func (dyingPointers) swap(context.Context, table.Identifier, string, string) (bool, error) {
	return false, errConnection
}

func (dyingPointers) insert(context.Context, table.Identifier, string) error { return errConnection }

func TestCrashBeforeThePointerMoves(t *testing.T) {
	needsPointers(t)
	ctx := context.Background()
	l := newLake(t)
	tbl := l.create(t, TableSpec{Name: "web"})
	tbl, err := tbl.Append(ctx, oneFile(t, l, tbl), AppendOptions{})
	require.NoError(t, err)

	dying := openLake(t, l.dir)
	dying.backend.(*pointerBackend).pointers = dyingPointers{dying.backend.(*pointerBackend).pointers}
	seen, err := dying.Load(ctx, "web")
	require.NoError(t, err)
	dying.wait = func(context.Context, time.Duration) error { return errors.New("dead") }
	_, err = seen.Append(ctx, oneFile(t, l, tbl), AppendOptions{})
	require.Error(t, err)
	_, err = dying.Create(ctx, TableSpec{Name: "new"})
	require.ErrorIs(t, err, errConnection)

	var orphans int
	for info, err := range l.store.List(ctx, "default/web/metadata/") {
		require.NoError(t, err)
		if strings.HasSuffix(info.Name, ".metadata.json") {
			orphans++
		}
	}
	require.Equal(t, 3, orphans, "create, append, and the one that nothing points to")
	fresh := requireOnce(t, l, 1)
	require.Equal(t, tbl.MetadataLocation(), fresh.MetadataLocation())
	names, err := l.List(ctx)
	require.NoError(t, err)
	require.Equal(t, []string{"default.web"}, names)
	_, err = tbl.Append(ctx, oneFile(t, l, tbl), AppendOptions{})
	require.NoError(t, err)
	requireOnce(t, l, 2)
	l.create(t, TableSpec{Name: "new"})
}

// TestEveryStorageFailure lets storage operation n of a few commits fail, for n = 0, 1, 2 … until none is hit any more.
func TestEveryStorageFailure(t *testing.T) {
	needsPointers(t)
	ctx := context.Background()
	dir, inner := t.TempDir(), mem.New()
	faulty := faultstore.New(inner)
	l, witness := openLakeOn(t, dir, faulty), openLakeOn(t, dir, inner)
	for _, mode := range []faultstore.Mode{faultstore.FailBefore, faultstore.FailAfter} {
		hit := true
		for n := int64(0); hit; n++ {
			require.Less(t, n, int64(300))
			tbl := l.create(t, TableSpec{Name: fmt.Sprintf("t%d-%d", mode, n), Properties: map[string]string{
				"commit.manifest.min-count-to-merge": "2", "write.metadata.previous-versions-max": "1"}})
			template := oneFile(t, l, tbl)[0]
			before := faulty.Fired()
			faulty.Inject(faultstore.Fault{Mode: mode, At: n, Match: func(op faultstore.Op) bool {
				return mode == faultstore.FailBefore || op.Kind >= faultstore.Create // a read that fails afterwards just failed
			}})
			committed := map[string]bool{}
			for range 2 {
				file := copies(template, 1)
				after, err := tbl.Append(ctx, file, AppendOptions{})
				if err != nil {
					require.ErrorIs(t, err, faultstore.ErrInjected)
					continue
				}
				committed[file[0].Path] = true
				tbl = after
			}
			hit = faulty.Fired() > before
			faulty.Heal()

			seen, err := witness.Load(ctx, tbl.Name())
			require.NoError(t, err)
			last := copies(template, 1)
			committed[last[0].Path] = true
			seen, err = seen.Append(ctx, last, AppendOptions{})
			require.NoError(t, err)
			require.Len(t, seen.Snapshots(), len(committed))
			listed := mustFiles(t, seen)
			require.Len(t, listed, len(committed))
			for _, file := range listed {
				require.True(t, committed[file.Path])
			}
		}
	}
}
