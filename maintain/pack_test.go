package maintain

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/catalog"
	"github.com/firnlog/firn/format"
	"github.com/firnlog/firn/index"
	"github.com/firnlog/firn/query"
	"github.com/firnlog/firn/storage"
	"github.com/firnlog/firn/storage/faultstore"
	"github.com/firnlog/firn/storage/metered"
)

// manyFiles appends n files of a few rows to the first day, with words of their own.
func manyFiles(f *fixture, from, n, rows int) {
	f.t.Helper()
	var added []catalog.NewFile
	for i := from; i < from+n; i++ {
		file, _ := f.writeFile(fmt.Sprintf("f%05d", i), f.rows(seconds(rows), func(row int) string {
			return fmt.Sprintf("request %x of file%d took %d ms", (i*rows+row)*2654435761, i, row)
		}), format.WriterOptions{})
		added = append(added, file)
	}
	f.appendFiles(added...)
}

// packNames returns the names of all packs in the store.
func (f *fixture) packNames() (names []string) {
	f.t.Helper()
	for info, err := range f.store.List(f.t.Context(), "default/web.index/packs/") {
		require.NoError(f.t, err)
		names = append(names, info.Name)
	}
	return names
}

func (f *fixture) apply(opts IndexOptions) (*IndexPlan, IndexResult) {
	f.t.Helper()
	p := f.plan(opts)
	r, err := p.Apply(f.t.Context())
	require.NoError(f.t, err)
	f.refresh()
	return p, r
}

// search says how many files a search for a token skipped by a pack, and by their own sidecars.
func (f *fixture) search(token string) (rows int64, byPack, bySidecar int) {
	f.t.Helper()
	scan, err := query.NewEngine(f.store, query.EngineOptions{}).Plan(f.t.Context(), f.table, query.Request{Predicate: query.HasToken{Column: query.Col("log_msg"), Text: token}, ForceIndex: true})
	require.NoError(f.t, err)
	rows, err = scan.Count(f.t.Context())
	require.NoError(f.t, err)
	st := scan.Stats()
	return rows, st.FilesSkipped[query.SkipBloomPack], st.FilesSkipped[query.SkipTokenBloom] + st.FilesSkipped[query.SkipTokenBitmap]
}

// TestPackLifecycle: packs are built, kept while they are good, replaced when they are stale, and dropped when they are old.
func TestPackLifecycle(t *testing.T) {
	f := newFixture(t, catalog.TableSpec{})
	now := time.Now()
	opts := IndexOptions{PackFiles: 10, Now: func() time.Time { return now }}
	manyFiles(f, 0, 8, 3)
	p, _ := f.apply(opts)
	require.Empty(t, p.Packs, "too few files")
	require.Empty(t, f.table.Properties()[index.PropertyPacks])
	manyFiles(f, 8, 22, 3)
	_, byPack, bySidecar := f.search("file3")
	require.Equal(t, []int{0, 29}, []int{byPack, bySidecar})

	dry := f.plan(opts)
	require.Len(t, dry.Packs, 1)
	require.Empty(t, f.packNames(), "planning must not change anything")
	p, r := f.apply(opts)
	require.Equal(t, ReasonMissing, p.Packs[0].Reason)
	require.Equal(t, []int64{1, 30, 0, 0}, []int64{r.Packs, r.PackFiles, r.Dropped, r.Failed})
	require.Len(t, f.packNames(), 1)
	require.Equal(t, "true", f.table.Properties()[index.PropertyPacks])
	rows, byPack, bySidecar := f.search("file3")
	require.Equal(t, []int{3, 29, 0}, []int{int(rows), byPack, bySidecar})
	report := f.verify()
	require.True(t, report.OK)
	require.Equal(t, []int64{1, 30}, []int64{report.Packs, report.PackFiles})
	require.Zero(t, report.OrphanFiles)

	// A few new files fall back to their own filters; with more the pack is stale.
	manyFiles(f, 30, 3, 3)
	p = f.plan(opts)
	require.Equal(t, 1, p.GoodPacks)
	require.Empty(t, p.Packs)
	rows, byPack, bySidecar = f.search("file31")
	require.Equal(t, []int{3, 30, 2}, []int{int(rows), byPack, bySidecar})
	manyFiles(f, 33, 7, 3)
	now = now.Add(time.Hour)
	p, r = f.apply(opts)
	require.Equal(t, ReasonStale, p.Packs[0].Reason)
	require.EqualValues(t, 40, r.PackFiles)
	require.Len(t, f.packNames(), 2)
	require.EqualValues(t, 1, f.verify().NotesByKind[SupersededPack])
	rows, byPack, _ = f.search("file31")
	require.Equal(t, []int{3, 39}, []int{int(rows), byPack})

	// The old one goes after the grace period.
	require.Empty(t, f.plan(opts).Drops)
	now = now.Add(25 * time.Hour)
	p, r = f.apply(opts)
	require.Equal(t, DropSuperseded, p.Drops[0].Reason)
	require.Equal(t, []int64{1, 0}, []int64{r.Dropped, r.Packs})
	require.Len(t, f.packNames(), 1)
	require.Equal(t, f.packNames()[0], nameOf(t, f, f.store.URI(f.packNames()[0])))

	// Without packs wanted, all of them go.
	table, err := f.table.SetProperties(t.Context(), map[string]string{index.PropertyPacks: "false"})
	require.NoError(t, err)
	f.table = table
	_, byPack, _ = f.search("file31")
	require.Zero(t, byPack)
	_, r = f.apply(opts)
	require.Equal(t, []int64{1, 0}, []int64{r.Dropped, r.Packs})
	require.Empty(t, f.packNames())
}

// TestPackInParts: filters that do not fit into memory at once make several packs.
func TestPackInParts(t *testing.T) {
	f := newFixture(t, catalog.TableSpec{})
	manyFiles(f, 0, 70, 4)
	_, r := f.apply(IndexOptions{PackFiles: 2, PackBytes: 20 * 64})
	require.EqualValues(t, 70, r.PackFiles)
	require.Greater(t, len(f.packNames()), 2)
	rows, byPack, bySidecar := f.search("file31")
	require.Equal(t, []int{4, 69, 0}, []int{int(rows), byPack, bySidecar})
	require.Empty(t, f.plan(IndexOptions{PackFiles: 2}).Packs)
	f.remove(f.packNames()[1])
	require.Equal(t, ReasonMissing, f.plan(IndexOptions{PackFiles: 2}).Packs[0].Reason)
	rows, byPack, _ = f.search("file31")
	require.Equal(t, []int{4, 0}, []int{int(rows), byPack}, "a generation that is not whole does not count")
}

// TestPackProblems: a damaged pack is built again, and one that lies about a file is found out.
func TestPackProblems(t *testing.T) {
	f := newFixture(t, catalog.TableSpec{})
	now := time.Now()
	opts := IndexOptions{PackFiles: 10, Now: func() time.Time { now = now.Add(time.Second); return now }}
	manyFiles(f, 0, 20, 3)
	f.remove(f.sidecarName(3))
	f.change(f.sidecarName(4), flip(40))
	_, r := f.apply(opts) // repairs the sidecars first
	require.EqualValues(t, 20, r.PackFiles)
	name := f.packNames()[0]
	good := f.get(name)
	f.change(name, flip(20))
	report := f.verify()
	require.Equal(t, map[Kind]int64{PackDamaged: 1}, report.MismatchesByKind)
	p, _ := f.apply(opts)
	require.Equal(t, ReasonDamaged, p.Packs[0].Reason)
	require.True(t, f.verify().OK)

	// The filters of another table's files under these names.
	for _, name := range f.packNames() {
		f.remove(name)
	}
	b, err := index.NewPackBuilder("log_date=20454", mustLayout(f).wanted)
	require.NoError(t, err)
	files := f.files()
	for i, file := range files {
		other, err := mustLayout(f).openSidecar(t.Context(), files[(i+1)%len(files)])
		require.NoError(t, err)
		filters, err := b.Filters(t.Context(), other)
		require.NoError(t, err)
		known, err := mustLayout(f).packFile(file)
		require.NoError(t, err)
		b.Add(known, filters)
	}
	var out bytes.Buffer
	_, err = b.Finish(&out)
	require.NoError(t, err)
	require.NotEqual(t, good, out.Bytes())
	f.put(name, out.Bytes())
	report = f.verify()
	require.Greater(t, report.MismatchesByKind[PackContent], int64(5))
	require.Len(t, report.MismatchesByKind, 1)
	_, r = f.apply(IndexOptions{PackFiles: 10, Rebuild: true, Now: opts.Now})
	require.EqualValues(t, 1, r.Packs)
	require.True(t, f.verify().OK)
}

func mustLayout(f *fixture) *layout {
	l, err := newLayout(f.store, f.table)
	require.NoError(f.t, err)
	return l
}

// TestPackWithFailingStorage: whatever storage operation fails, searches stay right, and trying again brings the pack.
func TestPackWithFailingStorage(t *testing.T) {
	f := newFixture(t, catalog.TableSpec{})
	manyFiles(f, 0, 8, 2)
	for n := int64(0); ; n++ {
		for _, name := range f.packNames() {
			f.remove(name)
		}
		faulty := faultstore.New(f.store, faultstore.Fault{At: n})
		p, err := PlanIndex(t.Context(), faulty, f.table, IndexOptions{Parallelism: 1, PackFiles: 8})
		if err == nil {
			_, err = p.Apply(t.Context())
		}
		f.refresh()
		rows, _, _ := f.search("file5")
		require.EqualValues(t, 2, rows)
		if faulty.Fired() == 0 {
			require.NoError(t, err)
			require.Len(t, f.packNames(), 1)
			require.True(t, f.verify().OK)
			return
		}
	}
}

// TestDropSidecars: a sidecar goes when no snapshot has its data file any more and it is old.
func TestDropSidecars(t *testing.T) {
	f := newFixture(t, catalog.TableSpec{})
	f.load(days(3, 20)...)
	gone := path.Dir(f.sidecarName(0)) + "/gone.puffin"
	f.put(gone, f.get(f.sidecarName(0)))
	f.put("default/web.index/README", []byte("not ours"))
	require.Empty(t, f.plan(IndexOptions{}).Drops, "it may be about to be committed")
	later := IndexOptions{Now: func() time.Time { return time.Now().Add(48 * time.Hour) }}
	p, r := f.apply(later)
	require.Len(t, p.Drops, 1)
	require.Equal(t, DropItem{f.store.URI(gone), DropNoDataFile, p.Drops[0].Bytes, gone}, p.Drops[0])
	require.EqualValues(t, 1, r.Dropped)
	require.Empty(t, f.plan(later).Drops)
	require.True(t, f.verify().OK)
	require.Equal(t, []byte("not ours"), f.get("default/web.index/README"))
	none := IndexOptions{Grace: -1, Now: later.Now}
	f.put(gone, f.get(f.sidecarName(0)))
	require.Len(t, f.plan(none).Drops, 1)
	table, err := f.table.SetProperties(t.Context(), map[string]string{catalog.PropertyIndexLocation: f.store.URI("default/web.index") + "/"})
	require.NoError(t, err)
	f.table = table
	require.Len(t, f.plan(none).Drops, 1)
	table, err = f.table.SetProperties(t.Context(), map[string]string{catalog.PropertyIndexLocation: f.store.URI("default")})
	require.NoError(t, err)
	f.table = table
	require.Empty(t, f.plan(none).Drops, "a place that tables may share")
}

// TestReferenced: a file that only an older snapshot has still counts.
func TestReferenced(t *testing.T) {
	f := newFixture(t, catalog.TableSpec{})
	f.load(days(2, 5)...)
	first := f.files()
	f.load(days(1, 5)...)
	all, err := f.table.Referenced(t.Context())
	require.NoError(t, err)
	require.Len(t, all, len(f.files()))
	for _, file := range first {
		require.Contains(t, all, file.Path)
	}
}

// TestNeedleThroughPackCold counts all that a needle costs in a lake that was just opened: catalog, manifests, pack, sidecars.
func TestNeedleThroughPackCold(t *testing.T) {
	files, rows := 200, 30
	if os.Getenv("FIRN_TEST_LONG") == "1" {
		files, rows = 10_000, 200
	}
	f := newFixture(t, catalog.TableSpec{})
	manyFiles(f, 0, files, rows)
	p, r := f.apply(IndexOptions{})
	require.EqualValues(t, files, r.PackFiles)
	var filters int64
	for i, file := range f.files() {
		if i == 50 {
			break
		}
		sidecar, err := mustLayout(f).openSidecar(t.Context(), file)
		require.NoError(t, err)
		for _, c := range sidecar.Summary().Columns {
			filters += c.BloomBytes
		}
	}
	t.Logf("%d files of %d rows: pack %d kB, filters about %d kB, built in %.1f s", files, rows, r.PackBytes/1000, filters*int64(files)/50/1000, r.Seconds)
	require.Len(t, p.Packs, 1)
	worst := int64(0)
	for i := range 20 {
		data := metered.New(f.store)
		store := metered.New(&splitStore{f.store, data})
		counted := coldTable(t, f, store)
		scan, err := query.NewEngine(store, query.EngineOptions{}).Plan(t.Context(), counted, query.Request{
			Predicate: query.HasToken{Column: query.Col("log_msg"), Text: fmt.Sprintf("file%d", i*files/20+3)},
		})
		require.NoError(t, err)
		worst = max(worst, store.Counts().Requests+store.Counts().Lists-data.Counts().Requests)
		n, err := scan.Count(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, rows, n)
	}
	t.Logf("worst of 20 needles, before data is read, metadata and the listing included: %d requests", worst)
	require.LessOrEqual(t, worst, int64(12))
}

// splitStore says that it is remote, and passes the reads of data files on to another store.
type splitStore struct {
	storage.Store
	data storage.Store
}

// Traits implements storage.TraitsOf.
func (s *splitStore) Traits() storage.Traits { return storage.RemoteTraits() }

func (s *splitStore) of(name string) storage.Store {
	if strings.HasSuffix(name, ".parquet") {
		return s.data
	}
	return s.Store
}

func (s *splitStore) ReadAt(ctx context.Context, name string, p []byte, off int64) error {
	return s.of(name).ReadAt(ctx, name, p, off)
}

func (s *splitStore) ReadTail(ctx context.Context, name string, p []byte) (n int, size int64, err error) {
	return s.of(name).ReadTail(ctx, name, p)
}

// coldTable loads the table through a store, as a process that was just started does.
func coldTable(t *testing.T, f *fixture, store storage.Store) *catalog.Table {
	t.Helper()
	c, err := catalog.Open(context.Background(), catalog.Options{Store: store, URI: f.uri})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	table, err := c.Load(t.Context(), strings.TrimPrefix(f.table.Name(), "default."))
	require.NoError(t, err)
	return table
}
