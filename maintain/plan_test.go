package maintain

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"hash/crc32"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/catalog"
	"github.com/firnlog/firn/index"
	"github.com/firnlog/firn/storage/faultstore"
)

func (f *fixture) plan(opts IndexOptions) *IndexPlan {
	f.t.Helper()
	p, err := PlanIndex(f.t.Context(), f.store, f.table, opts)
	require.NoError(f.t, err)
	return p
}

// What is missing, damaged or foreign is planned, and applying the plan gives the very bytes that loading gave.
func TestPlanIndexRepairs(t *testing.T) {
	f := newFixture(t, catalog.TableSpec{})
	f.load(days(4, 100)...)
	var names []string
	var good [][]byte
	for i := range f.files() {
		names = append(names, f.sidecarName(i))
		good = append(good, f.get(names[i]))
	}
	require.Empty(t, f.plan(IndexOptions{}).Items)
	f.remove(names[0])
	f.change(names[1], flip(len(good[1])/2))
	f.change(names[2], func([]byte) []byte { return bytes.Clone(good[3]) })

	p := f.plan(IndexOptions{})
	require.Len(t, p.Items, 3)
	require.Equal(t, 1, p.Good)
	reasons := map[string]IndexReason{}
	for _, item := range p.Items {
		reasons[f.store.URI(nameOf(t, f, item.Sidecar))] = item.Reason
	}
	require.Equal(t, map[string]IndexReason{
		f.store.URI(names[0]): ReasonMissing, f.store.URI(names[1]): ReasonDamaged, f.store.URI(names[2]): ReasonForeign,
	}, reasons)
	_, err := json.Marshal(p)
	require.NoError(t, err)
	require.NotEqual(t, good[2], f.get(names[2]), "planning must not change anything")

	r, err := p.Apply(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 3, r.Built)
	require.EqualValues(t, 300, r.Rows)
	for i, name := range names {
		require.Equal(t, good[i], f.get(name), name)
	}
	require.True(t, f.verify().OK)
	require.Empty(t, f.plan(IndexOptions{}).Items)
}

func nameOf(t *testing.T, f *fixture, uri string) string {
	t.Helper()
	l, err := newLayout(f.store, f.table)
	require.NoError(t, err)
	name, err := l.name(uri)
	require.NoError(t, err)
	return name
}

// An index that is asked for later is built for the files that are there.
func TestPlanIndexAfterPropertyChange(t *testing.T) {
	f := newFixture(t, catalog.TableSpec{Properties: map[string]string{index.PropertyColumnPrefix + "log_msg": "none"}})
	f.load(days(2, 50)...)
	require.Empty(t, f.plan(IndexOptions{}).Items)
	for _, column := range []string{"log_msg", "host"} {
		table, err := f.table.SetProperties(t.Context(), map[string]string{index.PropertyColumnPrefix + column: "bitmap,bloom"})
		require.NoError(t, err)
		f.table = table
		p := f.plan(IndexOptions{})
		require.Len(t, p.Items, 2)
		_, err = p.Apply(t.Context())
		require.NoError(t, err)
		require.True(t, f.verify().OK)
	}
	sidecar, err := index.Open(t.Context(), f.store, f.sidecarName(0), identity(f.files()[0], 50))
	require.NoError(t, err)
	require.Len(t, sidecar.Options().Columns, 2)
}

func TestPlanIndexRebuild(t *testing.T) {
	f := newFixture(t, catalog.TableSpec{})
	f.load(days(2, 50)...)
	otherTextsOf(f, 50)
	require.Empty(t, f.plan(IndexOptions{}).Items, "only verify reads the data")
	require.False(t, f.verify().OK)
	p := f.plan(IndexOptions{Rebuild: true})
	require.Len(t, p.Items, 2)
	_, err := p.Apply(t.Context())
	require.NoError(t, err)
	require.True(t, f.verify().OK)
}

func otherTextsOf(f *fixture, rows uint32) {
	l, err := newLayout(f.store, f.table)
	require.NoError(f.t, err)
	builder, err := index.NewBuilder(l.wanted)
	require.NoError(f.t, err)
	builder.ObserveText(l.wanted.Columns[0].FieldID, 0, []byte("something else"))
	var sidecar bytes.Buffer
	_, err = builder.Finish(&sidecar, identity(f.files()[0], rows))
	require.NoError(f.t, err)
	f.change(f.sidecarName(0), func([]byte) []byte { return sidecar.Bytes() })
}

// Two processes that repair the same table do not get into each other's way.
func TestApplyTwice(t *testing.T) {
	f := newFixture(t, catalog.TableSpec{})
	f.load(days(1, 50)...)
	f.remove(f.sidecarName(0))
	first, second := f.plan(IndexOptions{}), f.plan(IndexOptions{})
	_, err := first.Apply(t.Context())
	require.NoError(t, err)
	r, err := second.Apply(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 1, r.Skipped)
	require.True(t, f.verify().OK)
}

func TestApplyFailures(t *testing.T) {
	f := newFixture(t, catalog.TableSpec{})
	f.load(days(2, 50)...)
	f.remove(f.sidecarName(0))
	f.remove(f.sidecarName(1))
	p := f.plan(IndexOptions{})
	f.remove(f.dataName(0))
	r, err := p.Apply(t.Context())
	require.Error(t, err)
	require.EqualValues(t, 1, r.Failed)
	require.EqualValues(t, 1, r.Built, "one bad file must not stop the others")
	require.Len(t, r.Problems, 1)

	_, err = PlanIndex(cancelled(t), f.store, f.table, IndexOptions{})
	require.ErrorIs(t, err, context.Canceled)
	_, err = f.plan(IndexOptions{Rebuild: true}).Apply(cancelled(t))
	require.ErrorIs(t, err, context.Canceled)
}

// Whatever storage operation fails, what is left is never worse than no sidecar, and trying again repairs it.
func TestApplyWithFailingStorage(t *testing.T) {
	f := newFixture(t, catalog.TableSpec{})
	f.load(days(1, 20)...)
	name := f.sidecarName(0)
	good := f.get(name)
	for n := int64(0); ; n++ {
		f.remove(name)
		f.put(name, good[:len(good)-1])
		faulty := faultstore.New(f.store, faultstore.Fault{At: n})
		p, err := PlanIndex(t.Context(), faulty, f.table, IndexOptions{Parallelism: 1})
		if err == nil {
			_, err = p.Apply(t.Context())
		}
		if faulty.Fired() == 0 {
			require.NoError(t, err)
			require.True(t, f.verify().OK)
			return
		}
		require.True(t, errors.Is(err, faultstore.ErrInjected) || err != nil, "operation %d failed and nobody noticed", n)
		_, err = f.plan(IndexOptions{}).Apply(t.Context())
		require.NoError(t, err)
		require.Equal(t, good, f.get(name))
	}
}

// A sidecar of a later version is left alone unless everything is to be built anew.
func TestPlanIndexLeavesLaterVersions(t *testing.T) {
	f := newFixture(t, catalog.TableSpec{})
	f.load(days(1, 50)...)
	good := f.get(f.sidecarName(0))
	f.change(f.sidecarName(0), laterVersion)
	r := f.verify()
	require.Equal(t, map[Kind]int64{SidecarVersion: 1}, r.MismatchesByKind)
	p := f.plan(IndexOptions{})
	require.Empty(t, p.Items)
	require.Equal(t, 1, p.UnknownVersion)
	_, err := f.plan(IndexOptions{Rebuild: true}).Apply(t.Context())
	require.NoError(t, err)
	require.Equal(t, good, f.get(f.sidecarName(0)))
}

// laterVersion raises the version in the header of every blob (index/FORMAT.md) and sets the header's checksum right again.
func laterVersion(b []byte) []byte {
	for at := 0; at+32 <= len(b); at++ {
		header := b[at : at+32]
		sum := crc32.Checksum(header[:28], crc32.MakeTable(crc32.Castagnoli))
		if string(header[:4]) == "FIRN" && binary.LittleEndian.Uint32(header[28:]) == sum {
			header[4]++
			binary.LittleEndian.PutUint32(header[28:], crc32.Checksum(header[:28], crc32.MakeTable(crc32.Castagnoli)))
		}
	}
	return b
}
