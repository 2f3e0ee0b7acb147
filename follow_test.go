package firn_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn"
)

// A writer appends while its table is followed: each row comes once.
func TestFollow(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	lake, err := firn.Open(ctx, t.TempDir())
	require.NoError(t, err)
	defer func() { require.NoError(t, lake.Close()) }()
	table, err := lake.Create(ctx, firn.TableSpec{Name: "web"})
	require.NoError(t, err)
	const rows = 20
	failed := make(chan error, 1)
	go func() { failed <- appendRows(ctx, lake, table, rows) }()
	seen := map[string]int{}
	for row, err := range lake.Follow(ctx, "web", firn.Query{Where: firn.HasToken{Column: firn.Col("log_msg"), Text: "row"}}, firn.FollowOptions{Last: rows, Interval: time.Millisecond}) {
		require.NoError(t, err)
		seen[row.Text("log_msg")]++
		if row.Text("log_msg") == fmt.Sprintf("row %d", rows-1) {
			cancel()
		}
	}
	require.NoError(t, <-failed)
	require.Len(t, seen, rows)
	for text, times := range seen {
		require.Equal(t, 1, times, text)
	}
}

// appendRows commits rows one by one.
func appendRows(ctx context.Context, lake *firn.Lake, table *firn.Table, rows int) error {
	ctx = context.WithoutCancel(ctx)
	for i := range rows {
		w, err := lake.Writer(ctx, table, firn.WriterOptions{})
		if err != nil {
			return err
		}
		if err := w.Append(ctx, firn.Record{Time: time.Unix(1_800_000_000+int64(i), 0), Fields: []firn.Field{firn.F("log_msg", fmt.Sprintf("row %d", i))}}); err != nil {
			return err
		}
		if err := w.Close(ctx); err != nil {
			return err
		}
	}
	return nil
}
