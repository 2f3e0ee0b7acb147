package systest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn"
	"github.com/firnlog/firn/internal/loggen"
)

// at is the timestamp of most lines here.
const at = `"_timestamp":"2026-01-02T03:04:05.000006Z"`

func manyKeys(n int) string {
	var b strings.Builder
	b.WriteString("{" + at)
	for i := range n {
		fmt.Fprintf(&b, `,"key%d":"v%d"`, i, i)
	}
	return b.String() + "}\n"
}

func noise(n int) string {
	b := make([]byte, n)
	_, _ = rand.New(rand.NewSource(1)).Read(b)
	return string(b)
}

func TestBadInput(t *testing.T) {
	good := "{" + at + `,"log_msg":"good line","level":"info"}` + "\n"
	cases := []struct {
		name    string
		input   string
		rows    int64 // -1: not checked
		rejects int64 // -1: some
		asks    map[string]int64
	}{
		{"broken JSON", good + `{"_timestamp":` + "\n" + `{` + at + `,"a":}` + "\n{\n" + good, 2, 3, nil},
		{"a JSON array", "[" + good + "]\n" + `[1,2,3]` + "\n" + `"text"` + "\n7\nnull\n" + good, -1, -1, nil},
		{"binary garbage", good + noise(1<<20) + "\n" + good, -1, -1, map[string]int64{`"good line"`: 2}},
		{"invalid UTF-8", "{" + at + ",\"log_msg\":\"bro\xffken te\xc3\x28xt\",\"k\xfe\":\"\xed\xa0\x80\"}\n", 1, 0, map[string]int64{"bro": 1, "ken": 1, "xt": 1}},
		{"a 20 MB line", good + "{" + at + `,"log_msg":"needle ` + strings.Repeat("x y ", 5<<20) + `needle2"}` + "\n" + good, 3, 0,
			map[string]int64{"needle": 1, "needle2": 1, `"x y needle2"`: 1, "y": 1}},
		{"one 20 MB token", "{" + at + `,"log_msg":"` + strings.Repeat("x", 20<<20) + `"}` + "\n" + good, 2, 0, map[string]int64{"good": 1, "*": 2}},
		{"no timestamp", good + `{"log_msg":"when?"}` + "\n" + `{"_timestamp":null,"log_msg":"when?"}` + "\n", 1, 2, map[string]int64{"when": 0}},
		{"unreadable timestamps", good + `{"_timestamp":"tomorrow"}` + "\n" + `{"_timestamp":true}` + "\n" + `{"_timestamp":"2026-13-01T00:00:00Z"}` + "\n" +
			`{"_timestamp":""}` + "\n" + `{"_timestamp":1e300}` + "\n" + `{"_timestamp":[1]}` + "\n", 1, 6, nil},
		{"the years 1754 and 9999", `{"_timestamp":"1754-08-30T22:43:41.128654848Z","log_msg":"old"}` + "\n" +
			`{"_timestamp":"9999-12-31T23:59:59.999999999Z","log_msg":"last"}` + "\n" + `{"_timestamp":"0001-01-01T00:00:00Z","log_msg":"first"}` + "\n" +
			`{"_timestamp":"1969-12-31T23:59:59.9999999Z","log_msg":"before"}` + "\n" + `{"_timestamp":"10000-01-01T00:00:00Z","log_msg":"too late"}` + "\n" +
			`{"_timestamp":"0000-12-31T00:00:00Z","log_msg":"too early"}` + "\n", 4, 2,
			map[string]int64{"_timestamp:1754-08-30T22:43:41.128654Z": 1, "_timestamp:9999-12-31T23:59:59.999999Z": 1, "_timestamp:1969-12-31T23:59:59.999999Z": 1, "first": 1}},
		{"epoch numbers", `{"_timestamp":1767323045}` + "\n" + `{"_timestamp":1767323045000}` + "\n" + `{"_timestamp":1767323045000000}` + "\n" +
			`{"_timestamp":1767323045000000000}` + "\n" + `{"_timestamp":"1767323045"}` + "\n" + `{"_timestamp":1767323045.0}` + "\n", 6, 0,
			map[string]int64{"_timestamp:2026-01-02T03:04:05Z": 6}},
		{"duplicate keys", "{" + at + `,"log_msg":"first","log_msg":"second","x":1,"x":2,"attrs":{"y":1,"y":2}}` + "\n", 1, 0,
			map[string]int64{"first": 0, "second": 1, "x:2": 1, "x:1": 0, "y:2": 1}},
		{"10,000 keys", manyKeys(10_000) + good, 2, 0, map[string]int64{"key9999:v9999": 1, "key0:v0": 1}},
		{"nulls", "{" + at + `,"log_msg":null,"level":null,"host":null,"app_id":null,"trace_id":null,"attrs":null,"x":null}` + "\n", 1, 0,
			map[string]int64{"*": 1, "level:null": 0, "NOT level:info": 1}},
		{"wrong types", "{" + at + `,"log_msg":7,"level":true,"host":["a"],"app_id":{"name":"x"},"attrs":"text"}` + "\n" + "{" + at + `,"attrs":[1,2]}` + "\n", 2, 0,
			map[string]int64{"7": 1, "level:true": 1, "app_id.name:x": 1, "attrs.attrs:text": 1}},
		{"empty keys and values", "{" + at + `,"":"a","log_msg":"","attrs":{"":""," ":" "}}` + "\n", 1, 0, map[string]int64{"*": 1}},
		{"NUL and control characters", "{" + at + `,"log_msg":"a\u0000b\u001f\tc","k\u0000":"\u0000"}` + "\n", 1, 0, map[string]int64{"a": 1, "b": 1, `"b c"`: 1}},
		{"lone surrogates", "{" + at + `,"log_msg":"a\ud800b"}` + "\n", 1, 0, map[string]int64{"a": 1}},
		{"deep nesting", strings.Repeat(`{"a":`, 100_000) + "1" + strings.Repeat("}", 100_000) + "\n" + good, 1, 1, nil},
		{"deep arrays", "{" + at + `,"a":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + "}\n" + good, 1, 1, nil},
		{"blank lines and no last newline", "\n\r\n  \n" + strings.TrimSuffix(good, "\n") + "\r\n" + strings.TrimSuffix(good, "\n"), 2, 0, nil},
		{"a byte order mark", "\ufeff" + good + good, -1, -1, map[string]int64{"good": 2}},
		{"empty file", "", 0, 0, map[string]int64{"*": 0}},
		{"only rejects", "nonsense\n", 0, 1, map[string]int64{"*": 0}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if testing.Short() && len(c.input) > 1<<20 {
				t.Skip("long")
			}
			lake := t.TempDir()
			rejects := filepath.Join(t.TempDir(), "rejects.jsonl")
			r, o := loadFile(t, lake, "web", writeFile(t, []byte(c.input)), "--rejects", rejects)
			if c.rows >= 0 {
				require.Equal(t, c.rows, *r.Rows, o.stderr)
			}
			if c.rejects >= 0 {
				require.Equal(t, c.rejects, *r.Rejected, o.stderr)
			}
			code := 0
			if *r.Rejected > 0 {
				code = 3
			}
			require.Equal(t, code, o.code, o.stderr)
			require.EqualValues(t, len(c.input), *r.InputBytes)
			checkRejects(t, rejects, *r.Rejected)
			ok(t, lake, "verify", "web")
			asked := openAsked(t, lake, "web")
			for ask, want := range c.asks {
				if c.name == "a byte order mark" && *r.Rejected == 1 {
					want = 1
				}
				asked.count(t, ask, want)
			}
			rows := int64(0)
			for row := range strings.Lines(ok(t, lake, "search", "web", "*")) {
				require.True(t, json.Valid([]byte(row)), "%.200s", row)
				rows++
			}
			require.Equal(t, *r.Rows, rows)
		})
	}
}

// asked is a table that search texts are asked in this process, which is quicker than a run of the program for each.
type asked struct {
	lake  *firn.Lake
	table *firn.Table
}

func openAsked(t *testing.T, dir, name string) asked {
	t.Helper()
	lake := openLake(t, dir)
	table, err := lake.Table(t.Context(), name)
	require.NoError(t, err)
	return asked{lake, table}
}

// count checks how many rows match a text, with indexes and without.
func (a asked) count(t *testing.T, text string, want int64) {
	t.Helper()
	p, err := firn.Parse(text)
	require.NoError(t, err, text)
	for _, noIndex := range []bool{false, true} {
		got, _ := count(t, a.lake, a.table, firn.Request{Predicate: p, NoIndex: noIndex})
		require.Equal(t, want, got, "%s (no index: %v)", text, noIndex)
	}
}

// checkRejects reads the file of rejected lines.
func checkRejects(t *testing.T, path string, want int64) {
	t.Helper()
	f, err := os.Open(path)
	if os.IsNotExist(err) {
		require.Zero(t, want)
		return
	}
	require.NoError(t, err)
	defer f.Close()
	in := bufio.NewScanner(f)
	in.Buffer(nil, 64<<20)
	var n int64
	for ; in.Scan(); n++ {
		var reject struct {
			Line   int64
			Reason string
		}
		require.NoError(t, json.Unmarshal(in.Bytes(), &reject))
		require.Positive(t, reject.Line)
		require.NotEmpty(t, reject.Reason)
	}
	require.NoError(t, in.Err())
	require.Equal(t, want, n)
}

func TestWrongTypesForTypedColumns(t *testing.T) {
	lake := t.TempDir()
	ok(t, lake, "create", "web", "--column", "status:int", "--column", "big:long", "--column", "ratio:double", "--column", "small:float",
		"--column", "ok:bool", "--column", "seen:timestamp", "--column", "day:date", "--column", "note:string")
	input := "{" + at + `,"status":200,"big":9007199254740993,"ratio":0.5,"small":0.25,"ok":true,"seen":"2026-01-01T00:00:00Z","day":"2026-01-01","note":"n"}` + "\n" +
		"{" + at + `,"status":"many","big":1e30,"ratio":"x","small":[1],"ok":7,"seen":"never","day":"someday","note":5}` + "\n" +
		"{" + at + `,"status":3000000000,"big":1.5,"ratio":null,"small":{"a":1},"ok":"maybe","seen":false,"day":20260101,"note":true}` + "\n" +
		"{" + at + `,"attrs":{"status":"404","big":"17","ratio":"2.5","ok":"false","seen":"1767225600","day":"2026-01-02"}}` + "\n"
	r, o := loadFile(t, lake, "web", writeFile(t, []byte(input)))
	require.Zero(t, o.code, o.stderr)
	require.EqualValues(t, 4, *r.Rows)
	ok(t, lake, "verify", "web")
	asked := openAsked(t, lake, "web")
	for ask, want := range map[string]int64{
		"status:200": 1, "status:404": 1, "attrs.status:many": 1, "attrs.status:3000000000": 1, "big:9007199254740993": 1, "attrs.big:1.5": 1,
		"ratio:0.5": 1, "ratio:2.5": 1, "small:0.25": 1, "small.a:1": 1, "ok:true": 1, "ok:false": 1, "attrs.ok:maybe": 1, "seen:2026-01-01T00:00:00Z": 2,
		"attrs.seen:never": 1, "day:2026-01-02": 1, "note:5": 1, "note:true": 1, "NOT status:200": 3,
		"attrs.day:20260101": 2, // the text in attrs, and the day that it means in the column
		"attrs.day:someday":  1,
	} {
		asked.count(t, ask, want)
	}
}

func TestInputForms(t *testing.T) {
	text := loggen.Bytes(loggen.Options{Seed: 9, Rows: 300})
	plain := writeFile(t, text)
	for _, tool := range []string{"gzip", "zstd"} {
		if _, err := exec.LookPath(tool); err != nil {
			continue
		}
		out, err := exec.Command(tool, "-c", plain).Output()
		require.NoError(t, err)
		r, o := loadFile(t, t.TempDir(), "web", writeFile(t, out))
		require.Zero(t, o.code, o.stderr)
		require.EqualValues(t, 300, *r.Rows)
		require.EqualValues(t, len(text), *r.InputBytes, "uncompressed")
		// A packed file that ends early is an error, not a short success.
		_, o = loadFile(t, t.TempDir(), "web", writeFile(t, out[:len(out)/2]))
		require.Equal(t, 1, o.code, o.stderr)
	}
	lake := t.TempDir()
	o := firnWith(t, bytes.NewReader(text), lake, "load", "web", "-")
	require.Zero(t, o.code, o.stderr)
	require.EqualValues(t, 300, rowCount(t, lake, "web", "*"))
}

// TestDiskFull loads more than a small file system can hold.
func TestDiskFull(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=3m"); err != nil {
		t.Skipf("cannot mount a small tmpfs: %v", err)
	}
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(dir, syscall.MNT_DETACH)) })
	lake := filepath.Join(dir, "lake")
	path := writeFile(t, loggen.Bytes(loggen.Options{Seed: 2, Rows: 60_000, Sequence: true, Plain: true}))
	o := run(t, lake, "load", "web", path, "--buffer-bytes", "2000000")
	require.Equal(t, 1, o.code, o.stderr)
	require.Contains(t, o.stderr, "no space left")
	checkPrefix(t, lake, "web", "*", 60_000)
	filler := filepath.Join(dir, "filler")
	_ = os.WriteFile(filler, make([]byte, 4<<20), 0o644)
	require.Positive(t, rowCount(t, lake, "web", "*"), "a lake can be searched with no byte to spare")
	for line := range strings.Lines(run(t, lake, "verify", "web").stdout) {
		if kind, found := strings.CutPrefix(line, "MISMATCH "); found { // a sidecar that found no room makes searches slower, not wrong
			require.Equal(t, "sidecar_missing", strings.TrimSpace(kind))
		}
	}
	require.NoError(t, os.Remove(filler))
	require.NoError(t, syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, "size=30m"))
	ok(t, lake, "maintain", "index", "web")
	ok(t, lake, "verify", "web")
}

// TestInterrupt presses Ctrl-C while a load waits for more input.
func TestInterrupt(t *testing.T) {
	lake := t.TempDir()
	ok(t, lake, "create", "web")
	cmd := command(t, lake, "load", "web", "-", "--buffer-bytes", "500000")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	_, err = in.Write(loggen.Bytes(loggen.Options{Seed: 2, Rows: 5000, Sequence: true, Plain: true}))
	require.NoError(t, err)
	require.Eventually(t, func() bool { return rowCount(t, lake, "web", "*") > 0 }, time.Minute, 100*time.Millisecond, "nothing is committed")
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	err = cmd.Wait()
	require.Error(t, err)
	require.Equal(t, 1, cmd.ProcessState.ExitCode(), stderr.String())
	require.Contains(t, stderr.String(), "interrupted")
	ok(t, lake, "verify", "web")
	checkPrefix(t, lake, "web", "*", 5000)
}
