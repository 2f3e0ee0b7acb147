package catalog

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestClocksThatDisagree lets processes write to one table whose clocks are hours apart.
func TestClocksThatDisagree(t *testing.T) {
	ctx := context.Background()
	l := newLake(t)
	l.create(t, TableSpec{Name: "web"})
	writers := map[string]lake{}
	for name, skew := range map[string]time.Duration{"fast": 5 * time.Hour, "right": 0, "slow": -3 * time.Hour, "ahead": 40 * time.Second} {
		mine := l
		mine.now = func() time.Time { return time.Now().Add(skew) }
		writers[name] = mine.open(t)
	}
	files := 0
	for round, who := range []string{"right", "ahead", "slow", "right", "fast", "right", "slow", "fast", "slow", "ahead"} {
		mine := writers[who]
		tbl, err := mine.Load(ctx, "web")
		require.NoError(t, err)
		_, err = tbl.Append(ctx, oneFile(t, l, tbl), AppendOptions{})
		require.NoError(t, err, "%d: %s", round, who)
		files++
		_, err = tbl.SetProperties(ctx, map[string]string{"by": fmt.Sprint(who, round)})
		require.NoError(t, err, "%d: %s", round, who)
		tbl, err = tbl.UpdateSchema(ctx, AddColumn{Column{Name: fmt.Sprintf("c%d", round), Type: TypeLong}})
		require.NoError(t, err, "%d: %s", round, who)
		require.Equal(t, fmt.Sprint(who, round), tbl.Properties()["by"])
	}
	tbl, err := l.open(t).Load(ctx, "web")
	require.NoError(t, err)
	require.Len(t, mustFiles(t, tbl), files)
	snapshots := tbl.Snapshots()
	require.Len(t, snapshots, files)
	for i, s := range snapshots[1:] {
		require.True(t, s.Time.After(snapshots[i].Time), "%d: %v, %v", i, snapshots[i].Time, s.Time)
	}
	require.WithinDuration(t, time.Now(), snapshots[0].Time, time.Minute)
	fast := 5 * time.Hour
	if os.Getenv(testCatalog) == "rest" || onServer() { // the server's clock decides
		fast = 0
	}
	require.WithinDuration(t, time.Now().Add(fast), snapshots[4].Time, time.Minute)
	last := int64(0)
	for entry := range tbl.inner.Metadata().PreviousFiles() {
		require.GreaterOrEqual(t, entry.TimestampMs, last)
		last = entry.TimestampMs
	}
	require.GreaterOrEqual(t, tbl.inner.Metadata().LastUpdatedMillis(), last)
}
