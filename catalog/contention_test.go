package catalog

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/firnlog/firn/storage/local"
)

// Environment of a re-executed test binary that appends for a test in another process.
const (
	appenderLake  = "FIRN_TEST_APPENDER_LAKE"
	appenderName  = "FIRN_TEST_APPENDER_NAME"
	appenderCount = "FIRN_TEST_APPENDER_COUNT"
	appenderURI   = "FIRN_TEST_APPENDER_CATALOG"
	appenderLabel = "FIRN_TEST_APPENDER_CATALOG_NAME"
)

// appendMany appends count files one by one, of 1, 2, 3 … rows each, whose names tell who wrote them.
func appendMany(ctx context.Context, t testing.TB, l lake, who string, count int) error {
	tbl, err := l.Load(ctx, "web")
	if err != nil {
		return err
	}
	for i := range count {
		rows := make([]logRow, i+1)
		for r := range rows {
			rows[r] = message("2026-11-22T10:00:00Z", fmt.Sprintf("%s %d %d", who, i, r))
		}
		_, footer := encode(t, tbl.Schema(), rows)
		file := NewFile{
			Path:            fmt.Sprintf("%s/data/log_date=2026-11-22/%s-%d.parquet", tbl.Location(), who, i),
			Size:            1,
			ParquetMetadata: footer,
			Partition:       map[string]any{PartitionDay: dayOf(at("2026-11-22T10:00:00Z"))},
		}
		// Every other append is made on a view that is out of date already.
		after, err := tbl.Append(ctx, []NewFile{file}, AppendOptions{Summary: map[string]string{"writer": who}})
		if err != nil {
			return fmt.Errorf("append %d of %s: %w", i, who, err)
		}
		if i%2 == 0 {
			tbl = after
		}
	}
	return nil
}

// requireAll wants every file of every writer exactly once, with its rows, one snapshot each, each on top of the one before.
func requireAll(t *testing.T, l lake, writers []string, count int) {
	t.Helper()
	tbl, err := l.Load(context.Background(), "web")
	require.NoError(t, err)
	want := map[string]int64{}
	for _, who := range writers {
		for i := range count {
			want[fmt.Sprintf("%s/data/log_date=2026-11-22/%s-%d.parquet", tbl.Location(), who, i)] = int64(i + 1)
		}
	}
	got := map[string]int64{}
	for _, file := range mustFiles(t, tbl) {
		require.NotContains(t, got, file.Path, "listed twice")
		got[file.Path] = file.Rows
	}
	require.Equal(t, want, got)
	snapshots := tbl.Snapshots()
	require.Len(t, snapshots, len(want))
	for i, snapshot := range snapshots {
		if i > 0 {
			require.Equal(t, snapshots[i-1].ID, snapshot.ParentID)
		}
	}
	rows := 0
	for _, r := range want {
		rows += int(r)
	}
	require.Equal(t, strconv.Itoa(rows), tbl.SnapshotSummary()["total-records"])
	requireNoLitter(t, l, tbl)
}

// requireNoLitter wants no manifest or manifest list that no snapshot refers to.
func requireNoLitter(t *testing.T, l lake, tbl *Table) {
	t.Helper()
	ctx := context.Background()
	used := map[string]bool{}
	for _, snapshot := range tbl.inner.Metadata().Snapshots() {
		manifests, err := snapshot.Manifests(newFileIO(ctx, l.store, l.logger))
		require.NoError(t, err)
		for _, location := range append(manifestPaths(manifests), snapshot.ManifestList) {
			name, err := nameOf(l.store, location)
			require.NoError(t, err)
			used[name] = true
		}
	}
	metadataFiles := 0
	for info, err := range l.store.List(ctx, "default/web/metadata/") {
		require.NoError(t, err)
		if strings.HasSuffix(info.Name, ".crc") { // Hadoop's
			continue
		}
		if strings.HasSuffix(info.Name, ".metadata.json") {
			metadataFiles++
			continue
		}
		require.True(t, used[info.Name], "nobody needs %s", info.Name)
	}
	if !onServer() { // Java's leaves those of lost commits
		require.LessOrEqual(t, metadataFiles, 52, "old metadata files go away")
	}
}

func TestManyGoroutinesAppend(t *testing.T) {
	const writers, each = 8, 6
	for _, shared := range []bool{true, false} {
		t.Run(fmt.Sprintf("shared=%v", shared), func(t *testing.T) {
			l := newLake(t)
			l.create(t, TableSpec{Name: "web"})
			var group errgroup.Group
			var names []string
			for w := range writers {
				who := fmt.Sprintf("w%d", w)
				names = append(names, who)
				mine := l
				if !shared { // as different processes: nothing but the database brings them in order
					mine = openLake(t, l.dir)
				}
				group.Go(func() error { return appendMany(context.Background(), t, mine, who, each) })
			}
			require.NoError(t, group.Wait())
			requireAll(t, openLake(t, l.dir), names, each)
		})
	}
}

func TestManyProcessesAppend(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	const processes, each = 4, 12
	l := newLake(t)
	l.create(t, TableSpec{Name: "web"})
	names, err := appendInProcesses(l, processes, each)
	require.NoError(t, err)
	requireAll(t, l.open(t), names, each)
}

// appendInProcesses appends to the table "web" from several processes, and returns their names.
func appendInProcesses(l lake, processes, each int) (names []string, err error) {
	var group errgroup.Group
	for p := range processes {
		who := fmt.Sprintf("p%d", p)
		names = append(names, who)
		group.Go(func() error {
			cmd := exec.Command(os.Args[0], "-test.run=^TestAppender$", "-test.count=1")
			cmd.Env = append(os.Environ(), appenderLake+"="+l.dir, appenderName+"="+who, appenderCount+"="+strconv.Itoa(each),
				appenderURI+"="+l.uri, appenderLabel+"="+l.name)
			if out, err := cmd.CombinedOutput(); err != nil {
				return fmt.Errorf("%w: %s", err, out)
			}
			return nil
		})
	}
	return names, group.Wait()
}

// TestAppender is the other process of appendInProcesses.
func TestAppender(t *testing.T) {
	dir := os.Getenv(appenderLake)
	if dir == "" {
		t.Skip("only for other processes")
	}
	count, err := strconv.Atoi(os.Getenv(appenderCount))
	require.NoError(t, err)
	files, err := local.New(dir)
	require.NoError(t, err)
	defer func() { require.NoError(t, files.Close()) }()
	l := lake{dir: dir, store: files, uri: os.Getenv(appenderURI), name: os.Getenv(appenderLabel)}.open(t)
	require.NoError(t, appendMany(context.Background(), t, l, os.Getenv(appenderName), count))
}

// TestManyOpenAtOnce opens, and thereby makes, one lake many times at once.
func TestManyOpenAtOnce(t *testing.T) {
	dir := t.TempDir()
	lakes := make([]lake, 8)
	for i := range lakes {
		lakes[i] = lake{dir: dir}
	}
	var ready, done sync.WaitGroup
	ready.Add(1)
	for i := range lakes {
		done.Go(func() {
			ready.Wait()
			lakes[i] = openLake(t, dir)
		})
	}
	ready.Done()
	done.Wait()
	// All of them make the same table: one wins, the others are told.
	var group errgroup.Group
	won := make(chan string, len(lakes))
	for _, l := range lakes {
		group.Go(func() error {
			created, err := l.Create(context.Background(), TableSpec{Name: "web"})
			if err == nil {
				won <- created.MetadataLocation()
			} else if !errors.Is(err, ErrTableExists) {
				return err
			}
			return nil
		})
	}
	require.NoError(t, group.Wait())
	require.Len(t, won, 1)
	tbl, err := lakes[0].Load(context.Background(), "web")
	require.NoError(t, err)
	require.Equal(t, <-won, tbl.MetadataLocation())
	count := 0
	for _, err := range lakes[0].store.List(context.Background(), "default/web/") {
		require.NoError(t, err)
		count++
	}
	if !onServer() {
		require.Equal(t, 1, count, "the losers cleaned up")
	}
}

// TestChangesOfAllKindsAtOnce runs appends, schema changes and property changes against each other.
func TestChangesOfAllKindsAtOnce(t *testing.T) {
	ctx := context.Background()
	l := newLake(t)
	tbl := l.create(t, TableSpec{Name: "web"})
	var group errgroup.Group
	group.Go(func() error { return appendMany(ctx, t, openLake(t, l.dir), "a", 10) })
	group.Go(func() error { return appendMany(ctx, t, l, "b", 10) })
	for w := range 3 {
		mine := openLake(t, l.dir)
		group.Go(func() error {
			now, err := mine.Load(ctx, "web")
			for i := 0; i < 4 && err == nil; i++ {
				now, err = now.UpdateSchema(ctx, AddColumn{Column{Name: fmt.Sprintf("c%d_%d", w, i), Type: TypeLong}})
				if err == nil {
					_, err = now.SetProperties(ctx, map[string]string{fmt.Sprintf("p%d_%d", w, i): "x"})
				}
			}
			return err
		})
	}
	require.NoError(t, group.Wait())
	tbl, err := tbl.Refresh(ctx)
	require.NoError(t, err)
	require.Len(t, tbl.Columns(), len(DefaultColumns())+12)
	ids := map[int]bool{}
	for _, column := range tbl.Columns() {
		require.False(t, ids[column.ID])
		ids[column.ID] = true
	}
	found := maps.Clone(tbl.Properties())
	for w := range 3 {
		for i := range 4 {
			require.Equal(t, "x", found[fmt.Sprintf("p%d_%d", w, i)])
		}
	}
	files, rows := totalRows(t, tbl)
	require.Equal(t, 20, files)
	require.EqualValues(t, 2*55, rows)
}

func TestPausesGrowAndAreSpread(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	c := &Catalog{random: random.Float64}
	previous := firstPause / 4
	for attempt := 1; attempt < maxAttempts; attempt++ {
		span := min(longestPause, firstPause<<min(attempt-1, 10))
		got := c.pause(attempt)
		require.GreaterOrEqual(t, got, span/2)
		require.LessOrEqual(t, got, span)
		require.GreaterOrEqual(t, 2*got, previous)
		previous = got
	}
	require.NotEqual(t, c.pause(50), c.pause(50))
}
