package systest

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"sort"
	"strings"
	"sync"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn"
	"github.com/firnlog/firn/internal/loggen"
	"github.com/firnlog/firn/internal/oracle"
)

func enabled(variable string) bool { return os.Getenv(variable) != "" && os.Getenv(variable) != "0" }

func longTests() bool { return enabled("FIRN_TEST_LONG") || enabled("FIRN_TEST_FULL") }

// repository returns the root of the source tree.
func repository() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..")
}

// source is a set of input lines.
type source struct {
	name  string
	limit int64 // lines; 0: all
	open  func() (io.ReadCloser, error)
}

// reader opens the source; it ends after the limit.
func (s source) reader(t testing.TB) io.ReadCloser {
	t.Helper()
	r, err := s.open()
	require.NoError(t, err)
	if s.limit == 0 {
		return r
	}
	return &head{in: bufio.NewReaderSize(r, 1<<20), left: s.limit, close: r.Close}
}

// head is the first lines of a reader.
type head struct {
	in    *bufio.Reader
	rest  []byte
	left  int64
	close func() error
}

func (h *head) Read(p []byte) (int, error) {
	for len(h.rest) == 0 {
		if h.left == 0 {
			return 0, io.EOF
		}
		line, err := h.in.ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) || len(line) == 0 {
			return 0, err
		}
		h.rest, h.left = line, h.left-1
	}
	n := copy(p, h.rest)
	h.rest = h.rest[n:]
	return n, nil
}

func (h *head) Close() error { return h.close() }

// generated is a source of package loggen.
func generated(opts loggen.Options) source {
	text := loggen.Bytes(opts)
	return source{name: "generated", open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(text)), nil }}
}

// corpora lists the real logs; the test is skipped if there are none.
func corpora(t *testing.T) []source {
	dir := os.Getenv("FIRN_DATA")
	if dir == "" {
		dir = filepath.Join(repository(), "..", "shared", "data")
	}
	plain, _ := filepath.Glob(filepath.Join(dir, "*.jsonl"))
	packed, _ := filepath.Glob(filepath.Join(dir, "*.jsonl.zst"))
	paths := append(plain, packed...)
	if len(paths) == 0 {
		t.Skipf("no corpora in %s (set FIRN_DATA)", dir)
	}
	sort.Strings(paths)
	limit := int64(50_000)
	if enabled("FIRN_TEST_FULL") {
		limit = 0
	}
	var list []source
	for _, path := range paths {
		name := strings.TrimSuffix(strings.TrimSuffix(filepath.Base(path), ".zst"), ".jsonl")
		list = append(list, source{name: name, limit: limit, open: func() (io.ReadCloser, error) { return openPacked(path) }})
	}
	return list
}

// openPacked opens a file that may be packed with zstd.
func openPacked(path string) (io.ReadCloser, error) {
	f, err := os.Open(path)
	if err != nil || !strings.HasSuffix(path, ".zst") {
		return f, err
	}
	d, err := zstd.NewReader(f)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return unpacked{d, f}, nil
}

type unpacked struct {
	*zstd.Decoder
	file *os.File
}

func (u unpacked) Close() error {
	u.Decoder.Close()
	return u.file.Close()
}

// logLines is what a logger wrote.
type logLines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logLines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *logLines) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// openLake opens the lake in a directory, until the test ends.
func openLake(t testing.TB, dir string, opts ...firn.Option) *firn.Lake {
	t.Helper()
	lake, err := firn.Open(t.Context(), dir, opts...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, lake.Close()) })
	return lake
}

// load writes a source into a table and returns the table with it.
func load(t testing.TB, lake *firn.Lake, table *firn.Table, s source, opts firn.WriterOptions) (*firn.Table, firn.WriteReport) {
	t.Helper()
	ctx := t.Context()
	w, err := lake.Writer(ctx, table, opts)
	require.NoError(t, err)
	in := s.reader(t)
	defer in.Close()
	require.NoError(t, firn.Load(ctx, w, in, firn.LoadOptions{Name: s.name}))
	require.NoError(t, w.Close(ctx))
	table, err = lake.Table(ctx, table.Name())
	require.NoError(t, err)
	return table, w.Report()
}

// rowTexts runs a search and returns its rows as JSON.
func rowTexts(t testing.TB, lake *firn.Lake, table *firn.Table, r firn.Request) []string {
	t.Helper()
	scan, err := lake.Plan(t.Context(), table, r)
	require.NoError(t, err, "%v", r.Predicate)
	var rows []string
	for row, err := range scan.Rows(t.Context()) {
		require.NoError(t, err, "%v", r.Predicate)
		text, err := row.MarshalJSON()
		require.NoError(t, err)
		rows = append(rows, string(text))
	}
	return rows
}

// count runs a search for its count.
func count(t testing.TB, lake *firn.Lake, table *firn.Table, r firn.Request) (int64, firn.Stats) {
	t.Helper()
	scan, err := lake.Plan(t.Context(), table, r)
	require.NoError(t, err, "%v", r.Predicate)
	n, err := scan.Count(t.Context())
	require.NoError(t, err, "%v", r.Predicate)
	return n, scan.Stats()
}

// canonical brings rows into the oracle's form.
func canonical(t testing.TB, rows []string) []string {
	t.Helper()
	list := make([]string, len(rows))
	for i, row := range rows {
		text, err := oracle.CanonicalJSON([]byte(row))
		require.NoError(t, err)
		list[i] = text
	}
	return list
}
