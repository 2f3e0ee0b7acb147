package query

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/format"
	"github.com/firnlog/firn/index"
)

var naiveStep = regexp.MustCompile(`^(?:\.([A-Za-z0-9_@-]+)|\['([^']*)'\]|\[(\d+)\])`)

// naiveJSON follows a JSON path by encoding/json. Of members of one name the first counts.
func naiveJSON(text, path string) (string, bool) {
	if !json.Valid([]byte(text)) {
		return "", false
	}
	raw, path := json.RawMessage(text), path[1:]
	for path != "" {
		m := naiveStep.FindStringSubmatch(path)
		path = path[len(m[0]):]
		dec := json.NewDecoder(strings.NewReader(string(raw)))
		open, _ := dec.Token()
		raw = nil
		for i := 0; dec.More() && raw == nil; i++ {
			var key json.Token
			if open == json.Delim('{') {
				key, _ = dec.Token()
			}
			var v json.RawMessage
			if err := dec.Decode(&v); err != nil {
				return "", false
			}
			if m[3] != "" && open == json.Delim('[') && strconv.Itoa(i) == m[3] || m[3] == "" && key == m[1]+m[2] {
				raw = v
			}
		}
		if raw == nil {
			return "", false
		}
	}
	scalar := strings.TrimSpace(string(raw))
	switch scalar[0] {
	case '{', '[', 'n':
		return "", false
	case '"':
		err := json.Unmarshal(raw, &scalar)
		return scalar, err == nil
	}
	return scalar, true
}

// valueExpressions are the value indexes of the tests' tables.
var valueExpressions = map[string]string{
	"status": "bloom,range", "ok": "range", "took": "range,bloom", "day": "range", "small": "bloom", "ratio": "bloom,range", "level": "bloom",
	"trace_id": "bloom", "map_keys(attrs)": "bloom", "map_values(attrs)": "bloom,range", "element_at(attrs,'n')": "bloom,range", "attrs['code']": "range",
	"element_at(attrs,'pod')": "bloom", "json_extract(log_msg,'$.a')": "bloom,range", "json_extract(log_msg,'$.b.c[1]')": "range",
	"json_extract(log_msg,'$[''x y'']')": "bloom", "_timestamp": "range", "nowhere": "bloom",
}

var testNumbers = []string{"0", "-0", "1", "5", "5.0", "05", "7.5", "500", "501", "1e3", "-3", "9007199254740993", "9223372036854775807", "1e999", "-1e999", "1e-400", "0x10", "nan", "inf", "NaN", "12abc", "", "+7"}

// valueRecord makes a row with values that value indexes know, in runs, so that blocks differ.
func valueRecord(r *rand.Rand, row int) func(rec *record) {
	return func(rec *record) {
		phase := row / 30 % 5
		row++
		rec.cells["status"] = []any{int64(200 + phase), int64(math.MaxInt64 - phase), int64(math.MinInt64), nil, int64(1)<<53 + int64(phase)}[r.IntN(5)]
		if r.IntN(3) == 0 {
			rec.cells["took"] = []any{math.Copysign(0, -1), 0.0, math.MaxFloat64, -1.5, float64(phase)}[r.IntN(5)]
		}
		scalar := []string{`1`, `"1"`, `5.0`, `"x\u0041"`, `null`, `true`, `{"z":1}`, `[1]`, strconv.Itoa(100 * phase), `"a"`, `""`, `1e999`, `-0`}
		pick := func() string { return scalar[r.IntN(len(scalar))] }
		switch r.IntN(6) {
		case 0:
			rec.cells["log_msg"] = fmt.Sprintf(`{"a":%s,"b":{"c":[%s,%s]},"x y":%s}`, pick(), pick(), pick(), pick())
		case 1:
			rec.cells["log_msg"] = fmt.Sprintf(` {"k":[{"a":7}],"a":%s,"a":%s} `, pick(), pick())
		case 2:
			rec.cells["log_msg"] = fmt.Sprintf(`{"a":%s,"b":{"c":[%s,%d]}`, pick(), pick(), phase) // no end
		case 3:
			rec.cells["log_msg"] = []any{`{"a":01}`, `[1,2]`, `"a"`, `{"\u0061":3,"b":{"c":[0,250]}}`, nil}[r.IntN(5)]
		}
		rec.attrs = nil
		number := func() string {
			if r.IntN(2) == 0 {
				return strconv.Itoa(phase*1000 + r.IntN(20))
			}
			return testNumbers[r.IntN(len(testNumbers))]
		}
		for _, key := range []string{"pod", "n", "code", "level", fmt.Sprintf("only%d", phase)} {
			switch r.IntN(4) {
			case 0:
				rec.attrs = append(rec.attrs, Entry{Key: key, Value: number()})
			case 1:
				if phase != 2 {
					rec.attrs = append(rec.attrs, Entry{Key: key, Null: true})
				}
			}
		}
	}
}

// valueLeaf makes a condition that value indexes may help with.
func valueLeaf(r *rand.Rand) Predicate {
	op := []Op{Less, LessOrEqual, Greater, GreaterOrEqual}[r.IntN(4)]
	texts := []Column{
		Attr("n"), Attr("code"), Attr("pod"), Attr("only3"), Attr("never"), JSONPath("log_msg", "$.a"), JSONPath("log_msg", "$.b.c[1]"),
		JSONPath("log_msg", `$["x y"]`), JSONPath("log_msg", "$"), Col("level"), Col("user.id"), Attr("level"),
	}
	c := texts[r.IntN(len(texts))]
	text := func() any {
		switch r.IntN(3) {
		case 0:
			return testNumbers[r.IntN(len(testNumbers))]
		case 1:
			return strconv.Itoa(r.IntN(5)*1000 + r.IntN(30))
		}
		return []any{"xA", "true", "a", "ERROR", "1", "100", "400", "nowhere"}[r.IntN(8)]
	}
	numeric := texts[r.IntN(9)]
	n := []int{0, 1, 5, 7, 100, 250, 500, 1000, 2010, 4020, 1 << 53, math.MaxInt64, -3, math.MinInt64}[r.IntN(14)]
	switch r.IntN(14) {
	case 0, 1:
		return Equal{c, text()}
	case 2:
		return In{c, []any{text(), text(), text()}[:1+r.IntN(3)]}
	case 3, 4:
		return Compare{numeric, op, n}
	case 5:
		return Between{numeric, float64(n), float64(n) + float64(r.IntN(500))}
	case 6, 7:
		return IsNull{c}
	case 8:
		return Compare{Col("status"), op, []int{200, 203, math.MaxInt64, math.MaxInt64 - 3, math.MinInt64, 1 << 53, 1<<53 + 1}[r.IntN(7)]}
	case 9:
		return In{Col("status"), []any{200 + r.IntN(6), math.MaxInt64 - r.IntN(6)}}
	case 10:
		return Compare{Col("took"), op, []float64{0, math.Copysign(0, -1), -1.5, 3, math.Inf(1), math.Inf(-1)}[r.IntN(6)]}
	case 11:
		return In{Col("took"), []any{0.0, float64(r.IntN(5))}}
	case 12:
		return Prefix{c, []string{"1", "x", ""}[r.IntN(3)]}
	}
	return randomLeaf(r)
}

func valueProperties(blockRows string) map[string]string {
	properties := map[string]string{index.PropertyValueBlockRows: blockRows}
	for e, kinds := range valueExpressions {
		properties[index.PropertyValuePrefix+e] = kinds
	}
	return properties
}

// TestValueIndexesNeverChangeAnswers compares searches over tables with value indexes with the oracle, also with damaged sidecars.
func TestValueIndexesNeverChangeAnswers(t *testing.T) {
	seed := uint64(70)
	for _, blockRows := range []string{"1", "16", "37", "512"} {
		seed++
		t.Run(blockRows, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 0))
			spec := tableSpec{files: 4, rowsPerFile: 200, overlap: true, properties: valueProperties(blockRows), options: format.WriterOptions{RowGroupRows: 77, PageBytes: 256},
				edit: valueRecord(r, 0)}
			if blockRows == "37" {
				spec.index = "none"
			}
			tt := makeTable(t, r, spec)
			tt.leaf = valueLeaf
			examine(t, r, tt, "intact", 25)
			for _, damage := range slices.Sorted(maps.Keys(damages)) {
				f := tt.files[r.IntN(len(tt.files))]
				whole := tt.bytesOf(t, f.sidecar)
				if damaged := damages[damage](r, append([]byte(nil), whole...)); damaged == nil {
					require.NoError(t, tt.store.Delete(context.Background(), f.sidecar))
				} else {
					tt.put(t, tt.store.URI(f.sidecar), damaged)
				}
				examine(t, r, tt, damage, 4)
				tt.put(t, tt.store.URI(f.sidecar), whole)
			}
		})
	}
}

// TestValueIndexesPrune looks at what value indexes exclude, and at what is said about it.
func TestValueIndexesPrune(t *testing.T) {
	r := rand.New(rand.NewPCG(80, 0))
	row := 0
	edit := func(rec *record) {
		rec.attrs = []Entry{{Key: "n", Value: strconv.Itoa(row)}, {Key: fmt.Sprintf("k%d", row/50), Value: "v"}}
		rec.cells["log_msg"] = fmt.Sprintf(`{"a":%d,"b":{"c":[0,%d]}}`, row, row%7)
		row++
	}
	tt := makeTable(t, r, tableSpec{files: 1, rowsPerFile: 400, overlap: true, unsorted: func(int) bool { return true }, properties: valueProperties("20"), edit: edit})
	e := NewEngine(tt.store, EngineOptions{})
	for _, test := range []struct {
		p          Predicate
		candidates int64
		says       string
	}{
		{Equal{Attr("n"), "123"}, 20, "value index on element_at(attrs,'n'): fewer candidates"},
		{Equal{Attr("n"), "nowhere"}, 0, "value index on element_at(attrs,'n'): no row"},
		{Compare{Attr("n"), Greater, 379}, 20, "value index on element_at(attrs,'n'): fewer candidates"},
		{Compare{Attr("n"), Greater, 399}, 0, "value index on element_at(attrs,'n'): no row"},
		{Between{Attr("n"), 100, 119.5}, 20, "fewer candidates"},
		{Equal{Attr("k3"), "v"}, 60, "value index on map_keys(attrs): fewer candidates"},
		{Not{IsNull{Attr("k3")}}, 60, "value index on map_keys(attrs): fewer candidates"},
		{Equal{Attr("k3"), "w"}, 0, "value index on map_values(attrs): no row"},
		{Compare{JSONPath("log_msg", "$.a"), Less, 20}, 20, "value index on json_extract(log_msg,'$.a'): fewer candidates"},
		{Equal{JSONPath("log_msg", "$.a"), 77}, 20, "fewer candidates"},
		{Equal{JSONPath("log_msg", "$.b.c[1]"), 9}, 0, "value index on json_extract(log_msg,'$.b.c[1]'): no row"},
		{Equal{JSONPath("log_msg", "$.b.c[1]"), 3}, 400, "every block of rows may match"},
		{Equal{Attr("code"), 3}, 0, "value index on element_at(attrs,'code'): no row"},
	} {
		q := Request{Predicate: test.p}
		_, scan := collect(t, e, tt.table, q)
		candidates := int64(0)
		for _, task := range scan.Tasks() {
			candidates += task.Candidates
		}
		require.Equal(t, test.candidates, candidates, "%s\n%s", test.p, scan.Explain())
		require.Contains(t, scan.Explain(), test.says)
		if candidates == 0 {
			require.Equal(t, 1, scan.Stats().FilesSkipped[SkipValueIndex])
		}
		q.NoIndex = true
		_, scan = collect(t, e, tt.table, q)
		require.NotContains(t, scan.Explain(), "value index on")
	}
}

// TestManyKeys has one row with 10,000 keys.
func TestManyKeys(t *testing.T) {
	r := rand.New(rand.NewPCG(81, 0))
	row := 0
	tt := makeTable(t, r, tableSpec{files: 1, rowsPerFile: 60, overlap: true, unsorted: func(int) bool { return true }, properties: valueProperties("20"),
		edit: func(rec *record) {
			if row++; row == 30 {
				rec.attrs = nil
				for i := range 10_000 {
					rec.attrs = append(rec.attrs, Entry{Key: fmt.Sprintf("key.%d", i), Value: strconv.Itoa(i)})
				}
			}
		}})
	e := NewEngine(tt.store, EngineOptions{})
	for _, p := range []Predicate{Equal{Attr("key.777"), "777"}, Compare{Attr("key.9999"), Greater, 9998}, IsNull{Attr("key.5")}, Equal{Attr("key.5"), "6"}} {
		rows, _ := collect(t, e, tt.table, Request{Predicate: p})
		require.Equal(t, tt.ids(tt.matches(Request{Predicate: p})), idsOf(rows), p)
	}
}

// TestJSONPathsInTheTextLanguage checks that conditions on JSON paths are printed and parsed.
func TestJSONPathsInTheTextLanguage(t *testing.T) {
	for text, want := range map[string]Predicate{
		"log_msg$.a.b:x":                   Equal{JSONPath("log_msg", "$.a.b"), "x"},
		`log_msg$['id.orig_p'][0]:"a b"`:   Phrase{JSONPath("log_msg", "$['id.orig_p'][0]"), "a b"},
		`NOT body$['it\'s (x)"']:http://y`: Not{Equal{JSONPath("body", `$['it\'s (x)"']`), "http://y"}},
		`log_msg$.a:\//x`:                  Equal{JSONPath("log_msg", "$.a"), "//x"},
		`log_msg$.a:""`:                    Equal{JSONPath("log_msg", "$.a"), ""},
		"a$b":                              msg("a$b"),
		"costs$.5":                         msg("costs$.5"),
		`x$.a\:b`:                          msg("x$.a:b"),
		`x$['y\://z']\:b`:                  msg("x$['y://z']:b"),
	} {
		p, err := Parse(text)
		require.NoError(t, err, text)
		require.Equal(t, want, p, text)
		again, err := Parse(p.String())
		require.NoError(t, err, p.String())
		require.Equal(t, want, again, "%s printed as %s", text, p)
	}
	require.Equal(t, "log_msg$.a>=5", Compare{JSONPath("log_msg", `$["a"]`), GreaterOrEqual, 5}.String())
}

func TestInvalidJSONPaths(t *testing.T) {
	for want, c := range map[string]Column{
		"it must begin with $":  JSONPath("log_msg", "a.b"),
		"at character 4":        JSONPath("log_msg", "$.a[x]"),
		"needs a text column":   JSONPath("status", "$.a"),
		`has no column "other"`: JSONPath("other", "$.a"),
	} {
		_, err := bind(testSchema(), Equal{c, "x"}, time.Time{}, time.Time{}, time.Time{})
		require.ErrorIs(t, err, ErrInvalidRequest)
		require.ErrorContains(t, err, want)
	}
}
