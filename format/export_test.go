package format

import (
	"math/rand/v2"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestExport writes a file of every type to the folder that FIRN_EXPORT names, for other engines to read (testdata/check_engines.py).
func TestExport(t *testing.T) {
	dir := os.Getenv("FIRN_EXPORT")
	if dir == "" {
		t.Skip("FIRN_EXPORT is not set")
	}
	r := rand.New(rand.NewPCG(8, 8))
	s := &Schema{}
	s.Fields = append(s.Fields, wideSchema().Fields...)
	b := randomBatch(r, s, 5000)
	data, _ := writeFile(t, s, WriterOptions{RowGroupRows: 1700, PageBytes: 5000, BloomColumns: []string{"log_msg"}}, b)
	require.NoError(t, os.WriteFile(dir+"/wide.parquet", data, 0o644))
	c := generatedCorpus(20_000)
	data, _ = writeFile(t, logSchema(), WriterOptions{BloomColumns: []string{"trace_id"}}, c.batch)
	require.NoError(t, os.WriteFile(dir+"/logs.parquet", data, 0o644))
}
