package ingest

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/catalog"
)

const good = "{" + at + `,"msg":"good"}`

// loadText loads a text and returns its rows, what was rejected ("line: reason"), the report and the error of Load.
func loadText(t *testing.T, r io.Reader, opts LoadOptions) (rows, rejects []string, report Report, err error) {
	l := newLake(t, nil)
	w := l.writer(t, l.create(t, catalog.TableSpec{}), Options{})
	opts.Name = "input"
	opts.Rejects = func(r Reject) {
		require.Equal(t, "input", r.Name)
		rejects = append(rejects, fmt.Sprintf("%d: %s %q", r.Line, r.Reason, r.Text[:min(len(r.Text), 20)]))
	}
	err = Load(ctx, w, r, opts)
	require.NoError(t, w.Close(ctx))
	return l.rows(t, l.load(t)), rejects, w.Report(), err
}

func TestLoad(t *testing.T) {
	many := func(n int) []string {
		rows := make([]string, n)
		for i := range rows {
			rows[i] = "log_msg=good"
		}
		return rows
	}
	garbage := make([]byte, 100_000)
	for i := range garbage {
		garbage[i] = byte(i * 7919 >> 3)
	}
	noLines := bytes.ReplaceAll(garbage, []byte("\n"), []byte("x"))
	cases := []struct {
		name, input string
		rows        int
		rejects     []string
		blank       int64
	}{
		{"empty", "", 0, nil, 0},
		{"one line", good + "\n", 1, nil, 0},
		{"no newline at the end", good + "\n" + good, 2, nil, 0},
		{"blank lines", "\n\r\n \t\n" + good + "\n\n", 1, nil, 4},
		{"CRLF", good + "\r\n" + good + "\r\n", 2, nil, 0},
		{"byte order mark", "\uFEFF" + good + "\n" + good, 2, nil, 0},
		{"byte order mark alone", "\uFEFF", 0, nil, 0},
		{"byte order mark later", good + "\n\uFEFF" + good, 1, []string{`2: broken JSON "\ufeff{\"_timestamp\":\"20"`}, 0},
		{"rejects", good + "\nx\r\n{}\n[1]\n" + good, 2, []string{`2: broken JSON "x"`, `3: no timestamp "{}"`, `4: not a JSON object "[1]"`}, 0},
		{"an array of objects", "[" + good + ",\n" + good + "]\n", 0, []string{`1: broken JSON "[{\"_timestamp\":\"2026"`, `2: broken JSON "{\"_timestamp\":\"2026-"`}, 0},
		{"garbage", good + "\n" + string(noLines) + "\n" + good, 2, []string{fmt.Sprintf("2: broken JSON %q", noLines[:20])}, 0},
		{"too long", good + "\n{" + strings.Repeat("y", 3000) + "\n" + good, 2, []string{`2: line too long "{yyyyyyyyyyyyyyyyyyy"`}, 0},
		{"far too long", good + "\n" + strings.Repeat("y", 5<<20) + "\n" + good, 2, []string{`2: line too long "yyyyyyyyyyyyyyyyyyyy"`}, 0},
		{"far too long at the end", good + "\n" + strings.Repeat("y", 5<<20), 1, []string{`2: line too long "yyyyyyyyyyyyyyyyyyyy"`}, 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			readers := map[string]io.Reader{"whole": strings.NewReader(c.input), "with the end": iotest.DataErrReader(strings.NewReader(c.input))}
			if len(c.input) < 10_000 {
				readers["byte by byte"] = iotest.OneByteReader(strings.NewReader(c.input))
			}
			for name, r := range readers {
				var told int64
				rows, rejects, report, err := loadText(t, r, LoadOptions{MaxLineBytes: 2000, Progress: func(n int64) { told = n }})
				if strings.Contains(c.name, "garbage") {
					rows, rejects, report, err = loadText(t, strings.NewReader(c.input), LoadOptions{})
					told = report.InputBytes
				}
				require.NoError(t, err)
				require.Equal(t, many(c.rows), append([]string{}, rows...), name)
				require.Equal(t, c.rejects, rejects, name)
				require.EqualValues(t, len(c.input), report.InputBytes, name)
				require.EqualValues(t, len(c.input), told, name)
				require.EqualValues(t, len(c.rejects), report.Rejected)
				require.Equal(t, c.blank, report.Blank)
			}
		})
	}
	rows, rejects, report, err := loadText(t, bytes.NewReader(append([]byte(good+"\n"), garbage...)), LoadOptions{})
	require.NoError(t, err)
	require.Len(t, rows, 1)
	require.Greater(t, len(rejects), 100)
	require.Greater(t, report.Reasons[ReasonSyntax], int64(100))
}

func TestLongLine(t *testing.T) {
	long := "{" + at + `,"msg":"` + strings.Repeat("20 MB \\n", 3<<20) + `"}`
	rows, rejects, _, err := loadText(t, strings.NewReader(good+"\n"+long+"\n"+good), LoadOptions{})
	require.NoError(t, err)
	require.Empty(t, rejects)
	require.Len(t, rows, 3)
	require.Equal(t, "log_msg="+strings.Repeat("20 MB \n", 3<<20), rows[1])
}

func TestLoadFailures(t *testing.T) {
	broken := errors.New("disk on fire")
	rows, _, _, err := loadText(t, io.MultiReader(strings.NewReader(good+"\n"+good+"\n{"), iotest.ErrReader(broken)), LoadOptions{})
	require.ErrorIs(t, err, broken)
	require.EqualError(t, err, "load input: reading failed after line 2; the lines before were taken: disk on fire")
	require.Len(t, rows, 2)
	_, _, _, err = loadText(t, stuck{}, LoadOptions{})
	require.ErrorIs(t, err, io.ErrNoProgress)

	// A context that ends does not wait for the input.
	l := newLake(t, nil)
	w := l.writer(t, l.create(t, catalog.TableSpec{}), Options{})
	reader, writer := io.Pipe()
	short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, Load(short, w, reader, LoadOptions{Name: "pipe"}), context.DeadlineExceeded)
	require.NoError(t, writer.Close())
	require.NoError(t, Load(ctx, w, strings.NewReader(good), LoadOptions{}))
	require.NoError(t, w.Close(ctx))
	require.EqualValues(t, 1, w.Report().CommittedRows)
	err = Load(ctx, w, strings.NewReader(good), LoadOptions{Name: "late"})
	require.ErrorIs(t, err, ErrClosed)
}

type stuck struct{}

func (stuck) Read([]byte) (int, error) { return 0, nil }

// TestPosition checks that the report names the last committed line.
func TestPosition(t *testing.T) {
	l := newLake(t, nil)
	w := l.writer(t, l.create(t, catalog.TableSpec{}), Options{})
	require.NoError(t, Load(ctx, w, strings.NewReader(good+"\n"+good+"\n\nx\n"), LoadOptions{Name: "a"}))
	require.Zero(t, w.Report().Position)
	require.NoError(t, w.Flush(ctx))
	require.Equal(t, Position{Name: "a", Line: 2}, w.Report().Position)
	require.NoError(t, Load(ctx, w, strings.NewReader(good), LoadOptions{Name: "b"}))
	require.NoError(t, w.Close(ctx))
	require.Equal(t, Position{Name: "b", Line: 1}, w.Report().Position)
}

func TestInputs(t *testing.T) {
	lines, want := numbered(20_000)
	text := strings.Join(lines, "\n")
	dir := t.TempDir()
	path := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, data, 0o600))
		return path
	}
	var gz bytes.Buffer
	for _, part := range []string{text[:len(text)/2], text[len(text)/2:]} { // two members
		z := gzip.NewWriter(&gz)
		_, err := z.Write([]byte(part))
		require.NoError(t, err)
		require.NoError(t, z.Close())
	}
	encoder, err := zstd.NewWriter(nil)
	require.NoError(t, err)
	zst := append(encoder.EncodeAll([]byte(text[:99]), nil), encoder.EncodeAll([]byte(text[99:]), nil)...)
	for name, data := range map[string][]byte{"plain": []byte(text), "gz": gz.Bytes(), "zst": zst} {
		t.Run(name, func(t *testing.T) {
			in, err := OpenInput(path(name, data))
			require.NoError(t, err)
			rows, rejects, report, err := loadText(t, in, LoadOptions{})
			require.NoError(t, err)
			require.Empty(t, rejects)
			require.Equal(t, want, byNumber(rows))
			require.EqualValues(t, len(text), report.InputBytes)
			require.EqualValues(t, len(data), in.Size())
			require.EqualValues(t, len(data), in.Consumed())
			require.NoError(t, in.Close())
			if name == "plain" {
				return
			}
			in, err = OpenInput(path(name+".cut", data[:len(data)*2/3]))
			require.NoError(t, err)
			defer in.Close()
			rows, rejects, _, err = loadText(t, in, LoadOptions{})
			require.ErrorIs(t, err, io.ErrUnexpectedEOF)
			require.Empty(t, rejects)
			rows = byNumber(rows)
			require.Equal(t, want[:len(rows)], rows)
			require.NotEmpty(t, rows)
			require.ErrorContains(t, err, fmt.Sprintf("after line %d;", len(rows)))
		})
	}
	for _, short := range []string{"", "{", "\x1f\x8b", "\x28\xb5\x2f"} {
		in, err := OpenInput(path("short", []byte(short)))
		if err == nil {
			_, err = io.ReadAll(in)
			require.NoError(t, in.Close())
		}
		require.Equal(t, short == "\x1f\x8b", err != nil, "%q: %v", short, err)
	}
	_, err = OpenInput(dir)
	require.ErrorContains(t, err, "is a directory")
	_, err = OpenInput(filepath.Join(dir, "nowhere"))
	require.ErrorIs(t, err, os.ErrNotExist)
	in, err := OpenInput("-")
	require.NoError(t, err)
	require.Equal(t, "-", in.Name())
}

// TestBlocks checks that blocks are the lines of the input, whatever comes in one read.
func TestBlocks(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	for range 200 {
		var text []byte
		for range rng.IntN(2000) {
			text = append(text, "ab\n"[rng.IntN(3)])
		}
		r := newBlockReader(ctx, &chopped{text: text, rng: rng}, 50)
		var got []byte
		var size int64
		for {
			b, err := r.next(ctx)
			if errors.Is(err, io.EOF) {
				break
			}
			require.NoError(t, b.err)
			size += b.size
			if !b.tooLong {
				require.EqualValues(t, len(b.data), b.size)
			}
			require.Zero(t, bytes.Count(b.data[:len(b.data)-1], []byte("\n"))*len(b.data)*boolInt(b.tooLong))
			got = append(got, b.data...)
			r.done(b.data)
		}
		require.EqualValues(t, len(text), size)
		require.NotEmpty(t, append(got, 'x'))
	}
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

type chopped struct {
	text []byte
	rng  *rand.Rand
}

func (c *chopped) Read(p []byte) (int, error) {
	n := copy(p[:min(len(p), 1+c.rng.IntN(300))], c.text)
	c.text = c.text[n:]
	if len(c.text) == 0 && (n == 0 || c.rng.IntN(2) == 0) {
		return n, io.EOF
	}
	return n, nil
}
