package systest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn"
	"github.com/firnlog/firn/internal/faultproxy"
	"github.com/firnlog/firn/internal/testservers"
)

// cost is what a step of a search asked of the storage.
type cost struct {
	requests, kilobytes int64
}

// TestRequestsOnS3 counts, at a proxy before a real server, what it costs to find one row in 50 files, and asserts it, so that it cannot
// grow unnoticed. How many of the requests are made one after the other is asserted in package query, in virtual time.
func TestRequestsOnS3(t *testing.T) {
	testservers.Need(t)
	const files, rows = 50, 400
	server := testservers.Shared(t, "s3")
	proxy, err := faultproxy.New(server.Vars["S3_ENDPOINT"])
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, proxy.Close()) })
	c := s3Config(server)
	c.S3.Endpoint = proxy.URL()
	c.Catalog = sqliteIn(t.TempDir())

	lake := openConfig(t, c)
	_, err = lake.Create(t.Context(), firn.TableSpec{Name: "web"})
	require.NoError(t, err)
	table, err := lake.Table(t.Context(), "web")
	require.NoError(t, err)
	w, err := lake.Writer(t.Context(), table, firn.WriterOptions{})
	require.NoError(t, err)
	for file := range files { // a file a day
		for row := range rows {
			message := fmt.Sprintf("request %d of user%d took %d ms", row, row%37, row*7)
			if file == 31 && row == 200 {
				message += " needle"
			}
			at := time.Date(2026, 3, 1+file, 0, 0, row, 0, time.UTC)
			require.NoError(t, w.Append(t.Context(), firn.Record{Time: at, Fields: []firn.Field{firn.F("log_msg", message), firn.F("level", "info")}}))
		}
	}
	require.NoError(t, w.Close(t.Context()))

	measure := func(step string, most cost, do func()) {
		proxy.Reset()
		do()
		counts := proxy.Counts()
		t.Logf("%-40s %3d requests, %4d kB, %2d at once, %d after each other", step, counts.Requests, counts.BytesOut/1000, counts.MaxInFlight, proxy.Rounds())
		require.LessOrEqual(t, counts.Requests, most.requests, step)
		require.LessOrEqual(t, counts.BytesOut/1000, most.kilobytes, step)
	}
	search := func(state string, open, plan, read cost, c firn.Config) {
		lake := openConfig(t, c)
		var table *firn.Table
		measure(state+": open the table", open, func() { table, err = lake.Table(t.Context(), "web"); require.NoError(t, err) })
		p, err := firn.Parse("needle")
		require.NoError(t, err)
		var scan *firn.Scan
		measure(state+": plan", plan, func() { scan, err = lake.Plan(t.Context(), table, firn.Request{Predicate: p}); require.NoError(t, err) })
		found := 0
		measure(state+": read the hit", read, func() {
			for row, err := range scan.Rows(t.Context()) {
				require.NoError(t, err)
				text, err := row.MarshalJSON()
				require.NoError(t, err)
				require.True(t, strings.Contains(string(text), "needle"))
				found++
			}
		})
		require.Equal(t, 1, found)
		measure(state+": the same search again, same lake", cost{}, func() {
			again, err := lake.Plan(t.Context(), table, firn.Request{Predicate: p})
			require.NoError(t, err)
			require.Len(t, again.Tasks(), 1)
		})
		measure(state+": counting", cost{}, func() {
			n, err := lake.Count(t.Context(), "web", "needle", firn.Request{})
			require.NoError(t, err)
			require.EqualValues(t, 1, n)
		})
	}
	search("no cache", cost{1, 6}, cost{53, 330}, cost{1, 6}, c)
	cached := c
	cached.Cache = &firn.CacheConfig{Dir: t.TempDir()}
	search("cache, first time", cost{1, 6}, cost{53, 330}, cost{}, cached)
	search("cache, second time", cost{}, cost{}, cost{}, cached)
}
