// Package ingest turns records into committed files. A Writer takes JSON lines (AppendJSON, Load), Go values (Append) or Arrow record batches
// (AppendArrow), buffers them, and commits them to one table:
//
//	line -> decoder -> mapper -> buffer                    one goroutine, in the order of the input
//	full buffer -> sort -> gather -> format + index -> commit   in the background, files side by side
//
// The decoder reads a line in one pass and gives each field its place in the mapper, which knows the columns, their aliases and the rules
// that docs/INPUT.md tells. The finished row is copied, packed, into the arena of the active buffer. When half of Options.BufferBytes is
// used, that buffer is handed over and the other one becomes active; if it is still being written, appending waits.
//
// A buffer that is handed over is sorted by partition and time. Each partition becomes one or more Parquet files: row groups are gathered
// as vectors whose texts point into the arena, and format.Writer tells the index.Builder every text. Of each file the sidecar is stored first and the data
// file second; when all are there, one commit makes them part of the table. So every commit holds exactly a prefix of what was appended, a
// crash before it leaves only files that nobody sees, and a sidecar that could not be stored costs time, not rows.
//
// SlogHandler is a log/slog handler on top of a Writer.
package ingest
