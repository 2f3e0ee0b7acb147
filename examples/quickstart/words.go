package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/firnlog/firn"
)

// printRow prints the columns of a row that people look at first.
func printRow(out io.Writer, row firn.Row) error {
	text, err := row.MarshalJSON()
	if err != nil {
		return err
	}
	var r struct {
		Time    string `json:"_timestamp"`
		AppID   string `json:"app_id"`
		Level   string `json:"level"`
		Message string `json:"log_msg"`
	}
	if err := json.Unmarshal(text, &r); err != nil {
		return err
	}
	const most = 200
	message := []rune(strings.Join(strings.Fields(r.Message), " "))
	if len(message) > most {
		message = append(message[:most], '…')
	}
	_, err = fmt.Fprintf(out, "  %s %-5s %s: %s\n", r.Time, r.Level, r.AppID, string(message))
	return err
}

// reasons say in words why files were not read.
var reasons = map[string]string{
	"partition":         "by their day",
	"file_bounds":       "by the least and greatest values in the table's metadata",
	"token_bloom":       "by the bloom filter of their words",
	"token_bitmap":      "by the list of rows of each word",
	"value_bloom":       "by the bloom filter of values inside the Parquet file",
	"row_group_bounds":  "by the statistics of row groups",
	"page_bounds":       "by the statistics of pages",
	"answered_by_index": "because the index alone answered",
	"not_reached":       "because the limit was reached before",
}

// inWords says what pruning saved.
func inWords(s firn.Stats) string {
	var skipped []string
	for _, reason := range slices.Sorted(maps.Keys(s.FilesSkipped)) {
		if n := s.FilesSkipped[reason]; n > 0 {
			words, ok := reasons[string(reason)]
			if !ok {
				words = "by " + string(reason)
			}
			skipped = append(skipped, fmt.Sprintf("%d skipped %s", n, words))
		}
	}
	files := fmt.Sprintf("%d of %d files read", s.FilesRead, s.FilesTotal)
	if len(skipped) > 0 {
		files += ", " + strings.Join(skipped, ", ")
	}
	return fmt.Sprintf("%s; %d of %d rows decoded, %.0f kB in %d reads, %.1f ms",
		files, s.RowsDecoded, s.RowsTotal, float64(s.BytesRead)/1000, s.Requests, s.TotalMillis)
}

// next says what to try.
func next(out io.Writer, dir string, keep bool) {
	if !keep {
		fmt.Fprintln(out, `
Next: go run ./examples/quickstart -keep    keeps the lake and says how to search it on the command line
      go run ./examples/prune               only the pruned plan, for DuckDB or any other reader
      go run ./examples/embed               a service that logs into a table through log/slog`)
		return
	}
	fmt.Fprintf(out, `
The lake stays at %s. Try:

  export FIRN_LAKE=%s
  go run ./cmd/firn search shop '"No instances available" NOT train' --limit 3
  go run ./cmd/firn search shop 'level:error' --from 2023-01-30 --count --stats
  go run ./cmd/firn explain shop 'IllegalStateException'
  go run ./cmd/firn inspect table shop
  go run ./cmd/firn verify shop
  rm -r "$FIRN_LAKE"
`, dir, dir)
}
