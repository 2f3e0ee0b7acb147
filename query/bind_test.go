package query

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/catalog"
	"github.com/firnlog/firn/format"
)

func TestInvalidPredicatesAreExplained(t *testing.T) {
	schema := testSchema()
	schema.Fields = append(schema.Fields, format.Field{Name: "odd", ID: 30, Type: format.TypeUnsupported})
	for says, p := range map[string]Predicate{
		`"abc" is no number`:                       Equal{Col("status"), "abc"},
		`column "status" (long)`:                   Equal{Col("status"), "abc"},
		`fits into 64 bits`:                        Equal{Col("status"), "99999999999999999999"},
		`"1.5" is no whole number`:                 Equal{Col("status"), "1.5"},
		`"yes" is neither true nor false`:          Equal{Col("ok"), "yes"},
		`"soon" is no time`:                        Compare{Col("_timestamp"), Less, "soon"},
		`time.Duration is no time`:                 Compare{Col("_timestamp"), Less, time.Hour},
		`int is neither true nor false`:            Equal{Col("ok"), 1},
		`holds no text that could have tokens`:     HasToken{Col("status"), "500"},
		`has no letter, digit or _`:                Phrase{Col("log_msg"), "-- !"},
		`holds no text`:                            Prefix{Col("took"), "1"},
		`nil is no value; use IsNull`:              Equal{Col("status"), nil},
		`an end of the range is missing`:           Between{Col("status"), 1, nil},
		`"=" is no operator`:                       Compare{Col("status"), "=", 1},
		`is a map; name one of its keys`:           IsNull{Col("attrs")},
		`is no map, it has no key`:                 IsNull{Column{Name: "level", Key: "x"}},
		`has no column "labels"; it has _timestam`: IsNull{Column{Name: "labels", Key: "x"}},
		`has a type that firn cannot read`:         IsNull{Col("odd")},
		`a predicate is missing (nil)`:             And{All{}, nil},
		`*query.All is no predicate`:               Not{&All{}},
		`[]int is no text`:                         Equal{Col("level"), []int{1}},
		`NaN is no number that`:                    Compare{Col("status"), Less, math.NaN()},
	} {
		_, err := bind(schema, p, time.Time{}, time.Time{}, testNow())
		require.ErrorIs(t, err, ErrInvalidRequest, "%v", p)
		require.ErrorContains(t, err, says)
	}
	plain := &format.Schema{Fields: []format.Field{{Name: "message", ID: 1, Type: format.TypeString}}}
	_, err := bind(plain, msg("x"), time.Time{}, time.Time{}, testNow())
	require.ErrorContains(t, err, `the table has no column "log_msg"; it has message`)
	_, err = bind(plain, All{}, time.Now(), time.Time{}, time.Time{})
	require.ErrorContains(t, err, "from and to need a timestamp column")
}

func TestValuesAreConverted(t *testing.T) {
	schema := testSchema()
	at := time.Date(2026, 11, 22, 10, 0, 0, 1000, time.FixedZone("", 3600))
	for _, same := range [][]Predicate{
		{Equal{Col("status"), 500}, Equal{Col("status"), "500"}, Equal{Col("status"), uint16(500)}, Equal{Col("status"), 500.0}, Equal{Col("status"), json.Number("500")},
			Equal{Col("status"), "500.0"}, Equal{Col("status"), "5e2"}, In{Col("status"), []any{int16(500)}}, Phrase{Col("status"), "500"}},
		{Equal{Col("took"), 1.5}, Equal{Col("took"), "1.5"}, Equal{Col("took"), float32(1.5)}},
		{Equal{Col("ratio"), 0.1}, Equal{Col("ratio"), float32(0.1)}, Equal{Col("ratio"), "0.1"}},
		{Equal{Col("ok"), true}, Equal{Col("ok"), "True"}},
		{Equal{Col("level"), "500"}, Equal{Col("level"), 500}, Equal{Col("level"), []byte("500")}},
		{Equal{Col("_timestamp"), at}, Equal{Col("_timestamp"), "2026-11-22T09:00:00.000001Z"}, Equal{Col("_timestamp"), "2026-11-22 10:00:00.000001+01:00"},
			Equal{Col("_timestamp"), at.UnixMicro()}, Equal{Col("_timestamp"), &at}},
		{Equal{Col("day"), "2026-11-22"}, Equal{Col("day"), time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)}, Equal{Col("day"), 20_779}},
		{Compare{Col("status"), Less, 500}, Compare{Col("status"), Less, "499.5"}, Compare{Col("status"), LessOrEqual, 499.5}, Compare{Col("status"), LessOrEqual, 499}},
		{Compare{Col("status"), Greater, -2}, Compare{Col("status"), Greater, "-1.5"}, Compare{Col("status"), GreaterOrEqual, -1}},
		{Compare{Col("status"), GreaterOrEqual, math.Inf(-1)}, Compare{Col("status"), LessOrEqual, "1e30"}, Compare{Col("status"), LessOrEqual, uint64(math.MaxUint64)}},
		{Compare{Col("_timestamp"), Less, at}, Compare{Col("_timestamp"), LessOrEqual, at.Add(-1)}},
		{Compare{Col("day"), Less, "2026-11-23"}, Compare{Col("day"), LessOrEqual, time.Date(2026, 11, 22, 23, 0, 0, 0, time.UTC)}},
		{Or{}, Compare{Col("status"), Greater, math.MaxInt64}, Compare{Col("status"), Less, math.MinInt64}, Equal{Col("status"), 1.5}, In{Col("level"), nil},
			Between{Col("status"), 2, 1}, Equal{Col("took"), math.NaN()}, Equal{Col("_timestamp"), at.Add(1)}},
		{IsNull{Attr("n")}, IsNull{Col("n")}},
		{Equal{Attr("user.id"), "1"}, Equal{Col("user.id"), 1}},
	} {
		var first node
		for i, p := range same {
			b, err := bind(schema, p, time.Time{}, time.Time{}, testNow())
			require.NoError(t, err, "%s", p)
			if l, ok := b.root.(*leaf); ok {
				l.source = nil
				if len(l.wholes) == 0 {
					l.wholes = nil
				}
			}
			if i == 0 {
				first = b.root
			}
			require.Equal(t, first, b.root, "%s", p)
		}
	}
}

func TestJudgementsAreSound(t *testing.T) {
	r := rand.New(rand.NewPCG(40, 0))
	schema := testSchema()
	var e evaluator
	decided := 0
	for range 6000 {
		records := make([]record, 1+r.IntN(4))
		for i := range records {
			records[i] = randomRecord(r, true)
			if r.IntN(3) == 0 {
				records[i].cells = records[0].cells
			}
		}
		b, err := bind(schema, randomLeaf(r), time.Time{}, time.Time{}, testNow())
		require.NoError(t, err)
		hits := len(e.filter(b.root, batchOf(schema, records)))
		for _, l := range b.leaves {
			if b.root != node(l) {
				continue
			}
			v := l.judge(randomFacts(r, records, l.field))
			if v.all || !v.some {
				decided++
			}
			require.False(t, v.all && hits < len(records), "%s %+v", l.source, records)
			require.False(t, !v.some && hits > 0, "%s %+v", l.source, records)
		}
	}
	require.Greater(t, decided, 600)
}

// randomFacts returns true facts about a column, more or less exact.
func randomFacts(r *rand.Rand, records []record, field format.Field) facts {
	f := facts{rows: int64(len(records))}
	for _, rec := range records {
		switch v := rec.cells[field.Name].(type) {
		case nil:
			f.nulls++
		case string:
			low, high := v, v
			if r.IntN(3) == 0 && len(v) > 2 {
				low, high = v[:2], v[:2]+"\U0010ffff"
			}
			if f.min == nil || low < f.min.(string) {
				f.min = low
			}
			if f.max == nil || high > f.max.(string) {
				f.max = high
			}
		case bool:
			f.min, f.max = v && (f.min == nil || f.min.(bool)), v || f.max != nil && f.max.(bool)
		case int64:
			slack := r.Int64N(2)
			f.min, f.max = tighter(v-slack, f.min, false), tighter(v+slack, f.max, true)
		case float64:
			if f.min == nil || v < f.min.(float64) {
				f.min = v
			}
			if f.max == nil || v > f.max.(float64) {
				f.max = v
			}
		}
	}
	if r.IntN(4) == 0 {
		f.min = nil
	}
	if r.IntN(4) == 0 {
		f.max = nil
	}
	if r.IntN(4) == 0 {
		f.nulls = -1
	}
	return f
}

func TestFilesWithDeletesAndOfOtherFormatsAreRefused(t *testing.T) {
	tt := makeTable(t, rand.New(rand.NewPCG(41, 0)), tableSpec{files: 1, rowsPerFile: 5})
	e := NewEngine(tt.store, EngineOptions{})
	p, err := e.newPlanner(t.Context(), tt.table, Request{})
	require.NoError(t, err)
	data := catalog.DataFile{Path: tt.files[0].uri, Format: "PARQUET", Rows: 5, HasDeletes: true}
	err = p.admit(&filePlan{listedFile: &listedFile{data: &data, rows: 5}})
	require.ErrorIs(t, err, ErrDeletes)
	require.ErrorContains(t, err, tt.files[0].uri)
	data.HasDeletes, data.Format = false, "ORC"
	require.ErrorIs(t, p.admit(&filePlan{listedFile: &listedFile{data: &data, rows: 5}}), format.ErrUnsupported)
	data.Format, data.Path = "PARQUET", "s3://elsewhere/x.parquet"
	require.ErrorContains(t, p.admit(&filePlan{listedFile: &listedFile{data: &data, rows: 5, outside: true}}), "outside the store")
}

func TestPartitionsTellFacts(t *testing.T) {
	field := format.Field{Name: "_timestamp", ID: 1, Type: format.TypeTimestamp}
	app := format.Field{Name: "app", ID: 2, Type: format.TypeString}
	p := &tableState{partitions: []catalog.PartitionField{{Name: "log_date", Column: "_timestamp", Transform: "day"}, {Name: "app", Column: "app", Transform: "identity"}}}
	const day = int64(86_400_000_000)
	f := &catalog.DataFile{Rows: 10, Partition: map[string]any{"log_date": int32(-1), "app": "shop"}}
	require.Equal(t, facts{min: -day, max: int64(-1), rows: 10}, p.fileFacts(f, field))
	require.Equal(t, facts{min: "shop", max: "shop", rows: 10}, p.fileFacts(f, app))

	f.Lower, f.Upper = map[int]any{1: -day + 5, 2: "sho"}, map[int]any{1: int64(-7), 2: "shp"}
	require.Equal(t, facts{min: -day + 5, max: int64(-7), rows: 10}, p.fileFacts(f, field))
	require.Equal(t, facts{min: "shop", max: "shop", rows: 10}, p.fileFacts(f, app))

	// Another engine partitioned by something else under these names.
	f.Lower, f.Upper = map[int]any{1: 5 * day, 2: "a"}, map[int]any{1: 6 * day, 2: "b"}
	require.Equal(t, facts{min: 5 * day, max: 6 * day, rows: 10, nulls: -1}, p.fileFacts(f, field))
	require.Equal(t, facts{min: "a", max: "b", rows: 10, nulls: -1}, p.fileFacts(f, app))
	f.Partition["app"] = int32(7)
	require.Equal(t, facts{min: "a", max: "b", rows: 10, nulls: -1}, p.fileFacts(f, app))

	f.Lower, f.Upper, f.Partition["app"] = nil, nil, nil
	require.Equal(t, facts{rows: 10, nulls: 10}, p.fileFacts(f, app))
	f.Partition["log_date"] = int32(math.MaxInt32)
	require.Equal(t, facts{rows: 10, nulls: -1}, p.fileFacts(f, field))
}

func TestRequestsForColumns(t *testing.T) {
	tt := makeTable(t, rand.New(rand.NewPCG(42, 0)), tableSpec{files: 1, rowsPerFile: 5})
	e := NewEngine(tt.store, EngineOptions{})
	rows, scan := collect(t, e, tt.table, Request{Columns: []string{"status", "trace_id", "status"}})
	require.Len(t, rows, 5)
	require.Equal(t, 2, rows[0].Len())
	require.Equal(t, []string{"trace_id", "status"}, []string{rows[0].Column(0), rows[0].Column(1)})
	require.Equal(t, 2, scan.ArrowSchema().NumFields())
	require.Nil(t, rows[0].Get("log_msg"))
	require.Zero(t, rows[0].Time())
	_, err := e.Plan(t.Context(), tt.table, Request{Columns: []string{"nope"}})
	require.ErrorIs(t, err, ErrInvalidRequest)
	_, err = e.Plan(t.Context(), tt.table, Request{Limit: -1})
	require.ErrorIs(t, err, ErrInvalidRequest)
}
