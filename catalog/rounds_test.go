package catalog

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/storage"
	"github.com/firnlog/firn/storage/mem"
	"github.com/firnlog/firn/storage/metered"
)

// far is a store behind a network: each request takes one round trip. It is used within synctest, so that the time that passes tells
// exactly how many round trips were made one after the other.
type far struct{ storage.Store }

const roundTrip = time.Second

func (far) Traits() storage.Traits { return storage.RemoteTraits() }

func (f far) ReadAt(ctx context.Context, name string, p []byte, off int64) error {
	time.Sleep(roundTrip)
	return f.Store.ReadAt(ctx, name, p, off)
}

func (f far) ReadTail(ctx context.Context, name string, p []byte) (int, int64, error) {
	time.Sleep(roundTrip)
	return f.Store.ReadTail(ctx, name, p)
}

func (f far) Delete(ctx context.Context, name string) error {
	time.Sleep(roundTrip)
	return f.Store.Delete(ctx, name)
}

func (f far) Create(ctx context.Context, name string) (storage.Writer, error) {
	w, err := f.Store.Create(ctx, name)
	return farWriter{w}, err
}

type farWriter struct{ storage.Writer }

func (w farWriter) Commit(ctx context.Context) error {
	time.Sleep(roundTrip)
	return w.Writer.Commit(ctx)
}

// cost is what something costs a remote store.
type cost struct {
	Rounds                 int // one after the other
	Reads, Writes, Deletes int64
}

// meter runs something and tells what it cost.
func meter(counted *metered.Store, do func()) cost {
	before, start := counted.Counts(), time.Now()
	do()
	c := counted.Counts().Sub(before)
	return cost{int(time.Since(start) / roundTrip), c.Requests, c.Creates, c.Deletes}
}

// TestRoundTrips states what reading and writing a remote table costs, in requests and in round trips that follow each other, besides
// those to the catalog.
func TestRoundTrips(t *testing.T) {
	needsPointers(t)
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		dir, counted := t.TempDir(), metered.New(far{mem.New()})
		writer := openLakeOn(t, dir, counted)
		tbl := writer.create(t, TableSpec{Name: "web", Properties: map[string]string{
			"commit.manifest.min-count-to-merge": "12", "write.metadata.previous-versions-max": "14"}})
		template := oneFile(t, writer, tbl)[0]
		appendOn := func(tbl **Table) func() {
			return func() {
				after, err := (*tbl).Append(ctx, copies(template, 1), AppendOptions{})
				require.NoError(t, err)
				*tbl = after
			}
		}
		list := func(tbl *Table, want int) func() {
			return func() { require.Len(t, mustFiles(t, tbl), want) }
		}
		refresh := func(tbl **Table) func() {
			return func() {
				fresh, err := (*tbl).Refresh(ctx)
				require.NoError(t, err)
				*tbl = fresh
			}
		}
		load := func(l lake, tbl **Table) func() {
			return func() {
				var err error
				*tbl, err = l.Load(ctx, "web")
				require.NoError(t, err)
			}
		}
		for range 10 {
			require.Equal(t, cost{Rounds: 1, Writes: 3}, meter(counted, appendOn(&tbl)), "an append by who made the one before")
		}
		require.Equal(t, cost{}, meter(counted, list(tbl, 10)), "what was written is not read")

		reader := openLakeOn(t, dir, counted)
		var seen *Table
		require.Equal(t, cost{Rounds: 1, Reads: 1}, meter(counted, load(reader, &seen)), "a load in a new process")
		require.Equal(t, cost{Rounds: 2, Reads: 1 + 10}, meter(counted, list(seen, 10)), "the first plan")
		require.Equal(t, cost{}, meter(counted, func() { load(reader, &seen)(); list(seen, 10)() }), "nothing has changed")

		appendOn(&tbl)()
		require.Equal(t, cost{Rounds: 1, Reads: 1}, meter(counted, refresh(&seen)), "metadata.json")
		require.Equal(t, cost{Rounds: 2, Reads: 2}, meter(counted, list(seen, 11)), "the manifest list and the one new manifest")

		require.Equal(t, cost{Rounds: 2, Writes: 4, Deletes: 1}, meter(counted, appendOn(&tbl)), "a merge by who wrote all of it")
		list(tbl, 12)()
		for range 2 {
			appendOn(&tbl)()
		}
		require.Equal(t, cost{Rounds: 2, Writes: 3, Deletes: 1}, meter(counted, appendOn(&tbl)), "and an old metadata.json is deleted")
		for range 7 {
			appendOn(&tbl)()
		}

		stranger := openLakeOn(t, dir, counted)
		load(stranger, &seen)()
		require.Equal(t, cost{Rounds: 4, Reads: 1 + 11, Writes: 4, Deletes: 2}, meter(counted, appendOn(&seen)),
			"a merge in a new process: the manifest list, 11 manifests at once, 4 objects at once, deletes at once")
		list(seen, 23)()
		require.Equal(t, cost{}, meter(counted, list(seen, 23)), "listed once for each state")
	})
}
