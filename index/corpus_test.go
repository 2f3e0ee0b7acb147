package index

import (
	"bufio"
	"context"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"
	"github.com/valyala/fastjson"
)

// loadCorpus reads the messages ("_msg") of a file of JSON lines, plain or .zst: at most maxBytes of them.
func loadCorpus(tb testing.TB, path string, maxBytes int) [][]byte {
	tb.Helper()
	f, err := os.Open(path)
	require.NoError(tb, err)
	defer func() { _ = f.Close() }()
	var r io.Reader = f
	if strings.HasSuffix(path, ".zst") {
		z, err := zstd.NewReader(f)
		require.NoError(tb, err)
		defer z.Close()
		r = z
	}
	var texts [][]byte
	var parser fastjson.Parser
	lines := bufio.NewReaderSize(r, 1<<20)
	for total := 0; total < maxBytes; {
		line, err := lines.ReadBytes('\n')
		if len(line) > 1 {
			v, err := parser.ParseBytes(line)
			require.NoError(tb, err)
			text := append([]byte(nil), v.GetStringBytes("_msg")...)
			texts = append(texts, text)
			total += len(text)
		}
		if err == io.EOF {
			break
		}
		require.NoError(tb, err)
	}
	return texts
}

// TestCorpus looks up every token of a real corpus, the file of JSON lines that FIRN_CORPUS names, and compares with brute force.
func TestCorpus(t *testing.T) {
	path := os.Getenv("FIRN_CORPUS")
	if path == "" {
		t.Skip("FIRN_CORPUS names no file of JSON lines")
	}
	var texts []string
	for _, text := range loadCorpus(t, path, 24<<20) {
		texts = append(texts, string(text))
	}
	data, id, summary := build(t, oneColumn(), texts)
	s, err := openBytes(t, data, id)
	require.NoError(t, err)
	kept := int64(0)
	for token, rows := range truth(texts) {
		checkToken(t, s, token, rows)
		if s.Keeps(token) {
			kept++
		}
	}
	require.Equal(t, kept, summary.Tokens)
	_, err = s.Describe(context.Background(), 10)
	require.NoError(t, err)
}
