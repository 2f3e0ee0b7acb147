package format

import "testing"

// TestCorpusRoundTrip writes a corpus and reads it back.
func TestCorpusRoundTrip(t *testing.T) {
	for _, c := range corpora(t, 20_000) {
		t.Run(c.name, func(t *testing.T) {
			data, _ := writeFile(t, logSchema(), WriterOptions{BloomColumns: []string{"trace_id"}}, c.batch)
			f := openBytes(t, data, logSchema())
			got := readRanges(t, f, fieldIDs(logSchema()), 0, RowRange{0, f.Rows()})
			for i := range got.Columns {
				requireSameColumn(t, c.batch.Columns[i], got.Columns[i])
			}
		})
	}
}
