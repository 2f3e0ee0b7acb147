package index

import (
	"bufio"
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
