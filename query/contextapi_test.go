package query

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/format"
)

// oneStream is a table of 4 files of a day each, whose rows are all of one stream.
func oneStream(t *testing.T) *testTable {
	return makeTable(t, rand.New(rand.NewPCG(3, 0)), tableSpec{
		files: 4, rowsPerFile: 200, options: format.WriterOptions{RowGroupRows: 50},
		edit: func(rec *record) { rec.cells["host"] = "web-1" },
	})
}

// Files that cannot hold neighbours are never opened: here they are gone.
func TestContextOpensOnlyFilesWithNeighbours(t *testing.T) {
	tt := oneStream(t)
	middle := where{1, 100}
	for i, f := range tt.files {
		if i != middle.file {
			require.NoError(t, tt.store.Delete(context.Background(), f.name))
		}
	}
	hit := timestampOf(tt.record(middle))
	q := Request{From: hit, To: hit.Add(time.Second)}
	o := ContextOptions{Before: 20, After: 20}
	require.Equal(t, tt.naiveContext(q, o, DefaultStream()), collectContext(t, NewEngine(tt.store, EngineOptions{}), tt, q, o))
}

// Hits that are near each other share readings: of 200 hits in one file, few readings open it.
func TestContextSharesReadings(t *testing.T) {
	tt := oneStream(t)
	day := timestampOf(tt.files[1].records[0]).Truncate(24 * time.Hour)
	scan, err := NewEngine(tt.store, EngineOptions{}).Plan(context.Background(), tt.table, Request{From: day, To: day.Add(24 * time.Hour)})
	require.NoError(t, err)
	rows := 0
	for _, err := range scan.RowsWithContext(context.Background(), ContextOptions{Before: 3, After: 3}) {
		require.NoError(t, err)
		rows++
	}
	require.Equal(t, 206, rows)
	stats := scan.Stats()
	require.Less(t, stats.FooterHits+stats.FooterMisses, int64(30))
	require.Less(t, stats.RowsDecoded, int64(1500))
}

// A table without the columns of the default stream is one stream, and one without _timestamp has the order of its files.
func TestContextWithoutTimeAndStream(t *testing.T) {
	b := &bound{schema: &format.Schema{Fields: []format.Field{{Name: "a", ID: 1, Type: format.TypeString}}}}
	places, err := b.streamPlaces(nil)
	require.NoError(t, err)
	require.Empty(t, places)
	require.IsType(t, &leaf{}, b.side(&beside{at: position{path: "x", ordinal: 3}}))
}

func TestContextRefuses(t *testing.T) {
	tt := oneStream(t)
	scan, err := NewEngine(tt.store, EngineOptions{}).Plan(context.Background(), tt.table, Request{})
	require.NoError(t, err)
	for _, o := range []ContextOptions{{Before: -1}, {After: MaxContextRows + 1}, {Stream: []string{"took"}}, {Stream: []string{"attrs"}}} {
		_, err := firstContext(scan, o)
		require.ErrorIs(t, err, ErrInvalidRequest, fmt.Sprintf("%+v", o))
	}
	_, err = firstContext(scan, ContextOptions{Stream: []string{"no_such_column"}}) // a key of attrs
	require.NoError(t, err)
}

func firstContext(scan *Scan, o ContextOptions) (ContextRow, error) {
	for row, err := range scan.RowsWithContext(context.Background(), o) {
		return row, err
	}
	return ContextRow{}, nil
}

func TestContextRowJSON(t *testing.T) {
	tt := oneStream(t)
	scan, err := NewEngine(tt.store, EngineOptions{}).Plan(context.Background(), tt.table, Request{Columns: []string{"status"}, Limit: 1})
	require.NoError(t, err)
	row, err := firstContext(scan, ContextOptions{Before: 1})
	require.NoError(t, err)
	require.Equal(t, PartBefore, row.Part)
	text := string(row.AppendJSON([]byte("> ")))
	require.Regexp(t, `^> \{"status":(\d+|null),"_context":"before","_group":1\}$`, text)
	require.Equal(t, `{"_context":"hit","_group":2}`, string(ContextRow{Part: PartHit, Group: 2}.AppendJSON(nil)))
}

// Where a limit is reached, no hit is lost that was found, and the scan says that it is not whole.
func TestContextWithLimits(t *testing.T) {
	tt := oneStream(t)
	for _, limits := range []Limits{{Bytes: 1}, {Rows: 1}, {Rows: 300}, {Bytes: 30_000}, {Time: time.Nanosecond}} {
		e := NewEngine(tt.store, EngineOptions{})
		q := Request{Predicate: HasToken{Col("log_msg"), "error"}, Limit: 30, Limits: limits}
		all := tt.matches(q)
		scan, err := e.Plan(context.Background(), tt.table, q)
		require.NoError(t, err)
		hits := []string{}
		for row, err := range scan.RowsWithContext(context.Background(), ContextOptions{Before: 5, After: 5}) {
			require.NoError(t, err, "%+v", limits)
			if row.Part == PartHit {
				hits = append(hits, row.Row.Text("trace_id"))
			}
		}
		require.NotEmpty(t, scan.Partial(), "%+v", limits)
		require.Subset(t, tt.ids(all[:30]), hits)
		require.EqualValues(t, scan.Stats().RowsMatched, len(hits))
	}
}

// An answer's context has the columns of the answer, in its order, keys of attrs among them.
func TestContextOfAnswers(t *testing.T) {
	tt := oneStream(t)
	e := NewEngine(tt.store, EngineOptions{})
	q := Query{Columns: []Column{Col("trace_id"), Attr("pod"), Col("status")}, Limit: 2}
	o := ContextOptions{Before: 3, After: 3}
	want := tt.naiveContext(Request{Limit: 2}, o, DefaultStream())
	answer, err := e.Ask(context.Background(), tt.table, q, AskOptions{})
	require.NoError(t, err)
	i := 0
	for row, err := range answer.RowsWithContext(context.Background(), o) {
		require.NoError(t, err)
		require.Equal(t, 3, row.Row.Len())
		require.Equal(t, want[i].id, row.Row.Value(0))
		require.Equal(t, "attrs.pod", row.Row.Column(1))
		require.Equal(t, want[i].part, row.Part)
		i++
	}
	require.Len(t, want, i)
	answer, err = e.Ask(context.Background(), tt.table, Query{Aggregates: []Aggregate{{Function: FuncCount}}}, AskOptions{})
	require.NoError(t, err)
	for _, err := range answer.RowsWithContext(context.Background(), o) {
		require.ErrorIs(t, err, ErrInvalidRequest)
	}
}
