package index

import "github.com/firnlog/firn/storage"

// What is not known of a sidecar before it is opened.
const (
	openBytesPerRow  = 4 // of a whole sidecar of logs: 4 to 11
	tokenBytesPerRow = 3 // of the dictionary or the table of ids: 2 to 8
	leastTokenBytes  = 2 << 10
	mostTokenBytes   = dictionaryPartBytes + idPartBytes/2 // a part of the dictionary, and often one of ids or of the column of patterns
)

// OpenBytes returns about how many bytes Open reads of the sidecar of a data file with so many rows.
func OpenBytes(traits storage.Traits, rows uint32) int64 {
	return min(int64(tailGuess(traits, int64(rows))), leastTail+int64(rows)*openBytesPerRow)
}

// OpenHoldsBlooms says whether what Open reads probably holds the bloom filters, so that asking them costs nothing more.
func OpenHoldsBlooms(traits storage.Traits, rows uint32) bool {
	return int64(tailGuess(traits, int64(rows))) >= headGuess+bloomGuess(int64(rows))
}

// TokenBytes returns about how many bytes Lookup reads for a token if nothing but the head of the sidecar is in memory.
func TokenBytes(rows uint32) int64 {
	return min(max(int64(rows)*tokenBytesPerRow, leastTokenBytes), mostTokenBytes)
}

// LookupBytes returns about how many bytes Lookup reads for a folded token of a column: 0 if it has all in memory, or has nothing to say. As long as the part of
// the dictionary is not in memory, the column of patterns that it may point to is not counted.
func (s *Sidecar) LookupBytes(fieldID int, token string) int64 {
	return s.LookupCost([]Token{{FieldID: fieldID, Text: token}})
}
