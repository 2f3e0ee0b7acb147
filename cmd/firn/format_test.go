package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/stretchr/testify/require"
)

// pseudoTerminal says that standard output is a terminal of this size.
type pseudoTerminal struct{ width, height int }

func (p pseudoTerminal) isTerminal(any) bool          { return true }
func (p pseudoTerminal) size(any) (width, height int) { return p.width, p.height }

// onTerminal runs firn as if standard output were a terminal in a zone two hours east of UTC.
func onTerminal(t *testing.T, dir string, width int, args ...string) result {
	t.Helper()
	t.Chdir(dir)
	var stdout, stderr bytes.Buffer
	a := &app{
		stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr, now: time.Now, getenv: func(string) string { return "" },
		terminals: pseudoTerminal{width, 10}, zone: time.FixedZone("", 2*60*60), patience: time.Minute,
	}
	code := a.run(t.Context(), args)
	return result{code, stdout.String(), stderr.String()}
}

// hostileTexts are messages that no terminal may get as they are, or that are hard to lay out.
var hostileTexts = []string{
	"plain", "", " ", "a,b", `"quoted"`, "two\nlines", "cr\r\nlf\r", "\ttab", "\x1b[31mred\x1b[0m", "\x1b]0;title\x07", "nul\x00nul", "c1 \u009b31m", "bidi \u202eevil\u2066",
	"wide 漢字テスト", "e\u0301 combining", "👩‍👩‍👧‍👦 family 🇩🇪", "\u2028line\u2029par", "=1+1", "null", "\ufeffbom", "\x7fdel", strings.Repeat("ab", 5000), "日本語 " + strings.Repeat("長", 300),
}

// hostileLake makes a lake whose table odd holds hostileTexts, one of 2 MB, and rows with nulls and maps.
func hostileLake(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	var lines bytes.Buffer
	add := func(i int, msg string, more map[string]any) {
		row := map[string]any{"ts": fmt.Sprintf("2026-01-01T00:%02d:%02dZ", i/60, i%60), "msg": msg}
		for k, v := range more {
			row[k] = v
		}
		line, err := json.Marshal(row)
		require.NoError(t, err)
		lines.Write(append(line, '\n'))
	}
	for i, text := range hostileTexts {
		add(i, text, map[string]any{"level": []string{"INFO", "\x1b[1mE", "", "err"}[i%4], "status": i, "k\x1b[2J" + text[:min(len(text), 1)]: text, "ratio": 0.5})
	}
	add(100, strings.Repeat("x", 2<<20), nil)
	lines.WriteString(`{"ts":"2026-01-01T00:02:00Z","msg":"bad ` + "\xff\xfe" + ` utf8","day":"2026-01-05","yes":true}` + "\n")
	ok(t, dir, "create", "odd", "--column", "status:int", "--column", "ratio:double", "--column", "day:date", "--column", "yes:bool", "--column", "f:float", "--column", "n:long")
	ok(t, dir, "load", "odd", write(t, dir, "in.jsonl", lines.String()))
	return dir
}

// Every format holds the same values as jsonl.
func TestFormatsHoldTheSameValues(t *testing.T) {
	dir := hostileLake(t)
	search := func(format string) string {
		r := inProcess(t, dir, "search", "odd", "*", "--order", "oldest", "--format", format)
		require.Equal(t, exitDone, r.code, r.stderr)
		require.Empty(t, r.stderr)
		return r.stdout
	}
	want := objects(t, search("jsonl"))
	require.Len(t, want, len(hostileTexts)+2)
	t.Run("csv", func(t *testing.T) {
		text := search("csv")
		records, err := csv.NewReader(strings.NewReader(text)).ReadAll()
		require.NoError(t, err)
		require.Len(t, records, len(want)+1)
		for i, record := range records[1:] {
			for k, name := range records[0] {
				value := strings.ReplaceAll(plainText(t, want[i][name]), "\r\n", "\n") // as package csv reads CR LF
				require.Equal(t, value, canonical(t, record[k]), "row %d, %s", i, name)
			}
		}
		require.Contains(t, text, ",\"\",") // an empty text, unlike a null
		require.Contains(t, text, ",,")
		require.Equal(t, len(records), strings.Count(text, "\r\n")-1, "only the lines end with CR LF, and one value holds it")
	})
	t.Run("arrow", func(t *testing.T) {
		reader, err := ipc.NewReader(strings.NewReader(search("arrow")))
		require.NoError(t, err)
		defer reader.Release()
		got := 0
		for reader.Next() {
			record := reader.RecordBatch()
			for row := range int(record.NumRows()) {
				for c, column := range record.Columns() {
					name := record.ColumnName(c)
					require.Equal(t, plainText(t, want[got][name]), arrowText(t, column, row), "row %d, %s", got, name)
				}
				got++
			}
		}
		require.NoError(t, reader.Err())
		require.Equal(t, len(want), got)
	})
	t.Run("table", func(t *testing.T) {
		lines := strings.Split(strings.TrimSuffix(search("table"), "\n"), "\n")
		require.Len(t, lines, len(want)+1)
		for i, row := range want {
			for name, v := range row {
				if name == "attrs" {
					continue // JSON with escapes of its own
				}
				require.Contains(t, lines[i+1], visible(plainText(t, v)), "row %d, %s", i, name)
			}
		}
	})
	t.Run("pretty", func(t *testing.T) {
		text := search("pretty")
		for i, row := range want {
			for line := range strings.Lines(plainText(t, row["log_msg"])) {
				require.Contains(t, text, string(appendVisible(nil, strings.TrimRight(line, "\r\n"), "\t")), "row %d", i)
			}
		}
	})
}

// plainText writes a value of JSON as the other formats have it; a map with its keys in order.
func plainText(t *testing.T, v any) string {
	t.Helper()
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	}
	text, err := json.Marshal(v)
	require.NoError(t, err)
	return string(text)
}

// canonical orders the keys of a text that is a map in JSON.
func canonical(t *testing.T, text string) string {
	t.Helper()
	var m map[string]any
	if json.Unmarshal([]byte(text), &m) != nil || m == nil {
		return text
	}
	return plainText(t, m)
}

// arrowText writes a value of Arrow as plainText does.
func arrowText(t *testing.T, column arrow.Array, row int) string {
	t.Helper()
	if column.IsNull(row) {
		return ""
	}
	switch column := column.(type) {
	case *array.Timestamp:
		return column.Value(row).ToTime(arrow.Microsecond).Format("2006-01-02T15:04:05.000000Z07:00")
	case *array.String:
		require.True(t, utf8.ValidString(column.Value(row)))
		return column.Value(row)
	case *array.Map:
		var entries []struct{ Key, Value *string }
		require.NoError(t, json.Unmarshal([]byte(column.ValueStr(row)), &entries))
		m := map[string]*string{}
		for _, e := range entries {
			m[*e.Key] = e.Value
		}
		return plainText(t, m)
	}
	return column.ValueStr(row)
}

// Whatever the data hold, a terminal gets nothing that it would obey, and on its width.
func TestTerminalGetsNothingHostile(t *testing.T) {
	dir := hostileLake(t)
	for _, format := range []string{"jsonl", "csv", "table", "pretty"} {
		r := onTerminal(t, dir, 70, "search", "odd", "*", "--format", format, "--color", "never", "--no-histogram")
		require.Equal(t, exitDone, r.code, r.stderr)
		require.True(t, utf8.ValidString(r.stdout), format)
		for _, c := range r.stdout {
			switch {
			case c == '\n', c == '\t' && format != "table", (c == '\u202e' || c == '\u2066' || c == '\u2028' || c == '\u2029' || c == '\ufeff') && format == "jsonl":
			default:
				require.False(t, hostile(c), "%s: %q", format, c)
			}
		}
		if format == "table" {
			for line := range strings.Lines(r.stdout) {
				_, width := fit(strings.TrimSuffix(line, "\n"), 1000)
				require.LessOrEqual(t, width, 70, line)
			}
		}
	}
	r := onTerminal(t, dir, 70, "search", "odd", "*", "--format", "arrow")
	require.Equal(t, exitUsage, r.code)
	require.Contains(t, r.stderr, "terminal")
	require.Empty(t, r.stdout)
}

func TestFormatFlags(t *testing.T) {
	dir := sampleLake(t)
	for _, test := range []struct {
		args []string
		says string
	}{
		{[]string{"--format", "xml"}, "jsonl, csv, table, arrow, pretty"},
		{[]string{"--color", "blue"}, "auto, always and never"},
		{[]string{"--format", "csv", "--json"}, "contradict"},
		{[]string{"--max-bytes", "much"}, "--max-bytes"},
		{[]string{"--max-time", "-1s"}, "--max-time"},
		{[]string{"--max-rows", "-1"}, "--max-rows"},
	} {
		r := inProcess(t, dir, append([]string{"search", "web", "*"}, test.args...)...)
		require.Equal(t, exitUsage, r.code, "%q", test.args)
		require.Contains(t, r.stderr, test.says)
		require.Empty(t, r.stdout)
	}
}

// A terminal gets the newest 200 rows, and is told so; programs get all.
func TestRowsForPeople(t *testing.T) {
	dir := t.TempDir()
	var lines strings.Builder
	for i := range 300 {
		fmt.Fprintf(&lines, `{"ts":%d,"msg":"line %d"}`+"\n", 1767225600+i, i)
	}
	ok(t, dir, "load", "web", write(t, dir, "in.jsonl", lines.String()))
	rows := func(r result) int { return strings.Count(r.stdout, "line ") }
	r := onTerminal(t, dir, 100, "search", "web", "*", "--no-histogram")
	require.Equal(t, 200, rows(r))
	require.Contains(t, r.stdout, "line 299\n")
	require.Contains(t, r.stderr, "newest 200")
	r = onTerminal(t, dir, 100, "search", "web", "*", "--order", "oldest", "--no-histogram")
	require.Contains(t, r.stderr, "oldest 200")
	for _, args := range [][]string{{"*", "--limit", "0"}, {"*", "--limit", "300"}, {"* | limit 300"}, {"*", "--from", "2026-01-01T00:01:40Z"}} {
		r = onTerminal(t, dir, 100, append([]string{"search", "web", "--no-histogram"}, args...)...)
		require.Contains(t, []int{300, 200}, rows(r))
		require.Empty(t, r.stderr, args)
	}
	require.Equal(t, 300, rows(inProcess(t, dir, "search", "web", "*")))
}
