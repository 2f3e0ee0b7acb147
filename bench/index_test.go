package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn"
	"github.com/firnlog/firn/index/expression"
	"github.com/firnlog/firn/internal/loggen"
	"github.com/firnlog/firn/internal/randomqueries"
	"github.com/firnlog/firn/storage/mem"
)

// testBench is a bench with a scratch directory and nothing else.
func testBench(t *testing.T) *bench {
	t.Helper()
	return &bench{ctx: t.Context(), out: io.Discard, settings: settings{scratch: t.TempDir(), reps: 1}}
}

// testLake loads generated lines, half of which have the same words, into a lake, in this process.
func testLake(t *testing.T, b *bench, rows int) loaded {
	t.Helper()
	l := loaded{Corpus: "test", dir: filepath.Join(b.scratch, "test")}
	lake, err := firn.Open(t.Context(), l.dir)
	require.NoError(t, err)
	table, err := lake.Create(t.Context(), firn.TableSpec{Name: tableName})
	require.NoError(t, err)
	w, err := lake.Writer(t.Context(), table, firn.WriterOptions{})
	require.NoError(t, err)
	lines := loggen.Bytes(loggen.Options{Seed: 3, Rows: rows / 2, Plain: true, Start: mixedStart})
	for i := range rows - rows/2 {
		at := mixedStart.Add(time.Duration(i) * time.Minute).Format(time.RFC3339)
		lines = fmt.Appendf(lines, `{"_timestamp":%q,"log_msg":"request %d was served in %d ms"}`+"\n", at, i*2654435761, i%7*13)
	}
	require.NoError(t, firn.Load(t.Context(), w, bytes.NewReader(lines), firn.LoadOptions{}))
	require.NoError(t, w.Close(t.Context()))
	require.NoError(t, lake.Close())
	return l
}

func TestSetTimestamp(t *testing.T) {
	at := time.Date(2026, 3, 2, 3, 4, 5, 6, time.UTC)
	line, err := setTimestamp(nil, []byte(`{"a":1,"_timestamp":"2020-01-01T00:00:00Z","_msg":"x"}`+"\r\n"), at)
	require.NoError(t, err)
	require.Equal(t, `{"a":1,"_timestamp":"2026-03-02T03:04:05.000000006Z","_msg":"x"}`+"\n", string(line))
	for _, broken := range []string{`{"ts":"2020"}`, `{"_timestamp":"2020`, ``} {
		_, err := setTimestamp(nil, []byte(broken), at)
		require.Error(t, err, broken)
	}
}

func TestMixSpreadsEachCorpusEvenly(t *testing.T) {
	dir := t.TempDir()
	var list []corpus
	for i, rows := range []int64{30, 300, 7} {
		c := corpus{Name: fmt.Sprint("c", i), Path: filepath.Join(dir, fmt.Sprint("c", i, ".jsonl")), Rows: rows}
		var text strings.Builder
		for row := range rows + 5 { // more than are wanted
			fmt.Fprintf(&text, `{"_timestamp":"2020-01-01T00:00:00Z","app_id":"c%d","row":%d}`+"\n", i, row)
		}
		require.NoError(t, os.WriteFile(c.Path, []byte(strings.TrimSuffix(text.String(), "\n")), 0o600))
		list = append(list, c)
	}
	path := filepath.Join(dir, "mixed.jsonl.zst")
	require.NoError(t, mixCorpora(path, list, mixedStart, mixedSpan))
	in, err := firn.OpenInput(path)
	require.NoError(t, err)
	text, err := io.ReadAll(in)
	require.NoError(t, err)
	require.NoError(t, in.Close())
	days, next := map[string][3]int{}, map[string]int{}
	var last time.Time
	for line := range strings.Lines(string(text)) {
		var row struct {
			Time time.Time `json:"_timestamp"`
			App  string    `json:"app_id"`
			Row  int       `json:"row"`
		}
		require.NoError(t, json.Unmarshal([]byte(line), &row))
		require.False(t, row.Time.Before(last), "in the order of time")
		last = row.Time
		require.Equal(t, next[row.App], row.Row)
		next[row.App]++
		n := days[row.App]
		n[int(row.Time.Sub(mixedStart)/(24*time.Hour))]++
		days[row.App] = n
	}
	require.Equal(t, map[string][3]int{"c0": {10, 10, 10}, "c1": {100, 100, 100}, "c2": {2, 3, 2}}, days)
}

func TestAbsentTokensAreAbsent(t *testing.T) {
	b := testBench(t)
	l := testLake(t, b, 2000)
	x := &indexBench{bench: b, digests: map[string]*digest{}}
	d, err := x.digest(l)
	require.NoError(t, err)
	require.Len(t, d.absent, absentTokens)
	require.NotEmpty(t, d.frequent)
	require.EqualValues(t, 2000, d.rows)
	lake, table, err := b.open(l.dir)
	require.NoError(t, err)
	defer func() { require.NoError(t, lake.Close()) }()
	for _, token := range d.absent[:30] {
		n, err := lake.Count(t.Context(), tableName, token, firn.Request{NoIndex: true})
		require.NoError(t, err)
		require.Zero(t, n, token)
	}
	for _, f := range d.frequent {
		n, err := lake.Count(t.Context(), tableName, f.token, firn.Request{NoIndex: true})
		require.NoError(t, err)
		require.Equal(t, f.rows, n, f.token)
		require.Greater(t, 10*n, 3*d.rows)
	}
	s, err := x.indexSize(l)
	require.NoError(t, err)
	files, err := table.Files(t.Context())
	require.NoError(t, err)
	require.Equal(t, len(files), s.Files)
	_, bytes, err := lake.IndexSize(t.Context(), table)
	require.NoError(t, err)
	require.Equal(t, bytes, s.BitmapBytes+s.BloomBytes)
	require.Positive(t, s.Asked)
	require.Less(t, s.falsePositives(), 0.05)
}

func TestCompareQuery(t *testing.T) {
	b := testBench(t)
	l := testLake(t, b, 1500)
	lake, table, err := b.open(l.dir)
	require.NoError(t, err)
	defer func() { require.NoError(t, lake.Close()) }()
	p, err := firn.Parse("request AND 2654435761")
	require.NoError(t, err)
	c, err := compareQuery(t.Context(), lake.Store(), table, randomqueries.Query{Class: "and", Request: firn.Request{Predicate: p}})
	require.NoError(t, err)
	require.EqualValues(t, 1, c.Rows)
	require.Positive(t, c.Bytes)
	require.InDelta(t, float64(c.Bytes)/float64(c.BytesOff), c.BytesRatio, 1e-9)
	require.InDelta(t, c.CPU/c.CPUOff, c.CPURatio, 1e-9)
	x := &indexBench{bench: b}
	x.result.Never = []queryCost{c, {BytesRatio: 1, CPURatio: 1}}
	x.printNever()
	require.Len(t, x.result.Checks, 2)
}

func TestSmallFilesAreFound(t *testing.T) {
	l, err := makeSmallFiles(t.Context(), mem.New(), "sqlite://"+filepath.Join(t.TempDir(), "c.db"), 40)
	require.NoError(t, err)
	require.Len(t, l.needles, smallNeedles)
	c, err := l.search(t.Context(), l.needles[7])
	require.NoError(t, err)
	require.Equal(t, 1, c.Hits)
	require.Positive(t, c.Requests["metadata"])
	require.Positive(t, c.Requests["data"])
	require.EqualValues(t, c.Requests["metadata"]+c.Requests["pack"]+c.Requests["sidecar"], c.Before)
	c, err = l.search(t.Context(), absentNeedle)
	require.NoError(t, err)
	require.Zero(t, c.Hits)
}

func TestReadKind(t *testing.T) {
	for name, want := range map[string]string{
		"default/logs/metadata/snap-1.avro":               "metadata",
		"default/logs/data/log_date=2026-03-01/f.parquet": "data",
		"default/logs.index/log_date=2026-03-01/f.puffin": "sidecar",
		"default/logs.index/log_date=2026-03-01/1.pack":   "pack",
	} {
		require.Equal(t, want, readKind(name), name)
	}
}

func TestChecks(t *testing.T) {
	var out bytes.Buffer
	x := &indexBench{bench: &bench{out: &out}}
	require.Equal(t, "<= 1.2 yes", x.result.atMost("a", 1.2, 1.2, "").text())
	require.Equal(t, "<= 1.2 no", x.result.atMost("b", 1.21, 1.2, "").text())
	require.Equal(t, ">= 50 yes", x.result.atLeast("c", 50, 50, "x").text())
	require.Equal(t, ">= 50 no", x.result.atLeast("d", 0.5, 50, "x").text())
	x.printChecks(x.result.checks)
	require.Contains(t, out.String(), "2 of 4 reached")
	require.InDelta(t, 9.585, bloomLimit(0.01), 0.001)
	require.InDelta(t, 1, ratioOf(0, 0), 0)
	require.Equal(t, []string{"12345", "12.3", "1.204", "0.001234"}, []string{short(12345), short(12.34), short(1.2041), short(0.001234)})
}

func TestOtherWord(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 100 {
		require.True(t, isWord(otherWord([]string{"timeout", "connection", "failed"}, r)))
	}
}

func TestOnly(t *testing.T) {
	var s settings
	require.NoError(t, s.setOnly("sizes,load"))
	require.Equal(t, []string{"sizes", "load"}, s.only)
	require.ErrorContains(t, s.setOnly("sises"), "sections are sizes")
}

func TestValueCases(t *testing.T) {
	for _, v := range valueCases() {
		e, err := expression.Parse(v.expression)
		require.NoError(t, err, v.expression)
		if e.Function == expression.JSONExtract {
			require.Equal(t, e.Path.String(), v.column.Path, "the query is about what the index is on")
		} else if e.Function == expression.ElementAt {
			require.Equal(t, e.Key, v.column.Key)
		}
	}
	b := testBench(t)
	l := testLake(t, b, 500)
	lake, table, err := b.open(l.dir)
	require.NoError(t, err)
	defer func() { require.NoError(t, lake.Close()) }()
	x := &indexBench{bench: b}
	asked, err := x.valueQueries(lake, table, valueCase{column: firn.Attr("pod"), kinds: "bloom"})
	require.NoError(t, err)
	require.Len(t, asked["present"], valueQueries)
	for _, p := range asked["present"] {
		var cost valueCost
		require.NoError(t, x.valueQuery(&cost, lake, table, p))
		require.Positive(t, cost.Matched, p)
	}
}
