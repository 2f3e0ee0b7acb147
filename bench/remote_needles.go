package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/firnlog/firn"
	"github.com/firnlog/firn/internal/faultproxy"
)

// remoteNeedle is one search through the delaying proxy.
type remoteNeedle struct {
	Query    string  `json:"query"`
	State    string  `json:"state"` // cold, or from the disk cache
	Hits     int     `json:"hits"`
	Rounds   int     `json:"sequential_round_trips"`
	Requests int64   `json:"requests"`
	Bytes    int64   `json:"bytes"`
	InFlight int     `json:"most_at_once"`
	MS       float64 `json:"ms"`
}

// cacheHit compares a lake on S3 behind a warm disk cache with the same lake on local disk.
type cacheHit struct {
	Query    string  `json:"query"`
	LocalMS  float64 `json:"local_ms"`
	CachedMS float64 `json:"cached_ms"`
	LocalCPU float64 `json:"local_cpu_ms"`
	CacheCPU float64 `json:"cached_cpu_ms"`
	Speed    float64 `json:"speed_to_local"` // of wall time; 1 is as fast
}

// remoteNeedles looks for needles in a lake of many files through a proxy that delays every request, cold and from a disk cache, and
// compares the cache with local disk.
func (b *bench) remoteNeedles(p remote) (needles []remoteNeedle, hits []cacheHit, err error) {
	proxy, err := faultproxy.New(p.config.S3.Endpoint)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, proxy.Close()) }()
	local := firn.Config{Lake: filepath.Join(b.scratch, "needles")}
	whole, err := b.loadAt("whole", firn.Config{Lake: filepath.Join(b.scratch, "whole")})
	if err != nil {
		return nil, nil, err
	}
	size := fmt.Sprint(max(1, whole.DataBytes/remoteFiles))
	if _, err := b.loadAt("needles", local, "--file-bytes", size); err != nil {
		return nil, nil, err
	}
	c := p.config
	c.Lake, c.Catalog, c.S3.Endpoint = c.Lake+"-needles", "sqlite://"+filepath.Join(b.scratch, "s3-needles.db"), proxy.URL()
	if _, err := b.loadAt("s3-needles", c, "--file-bytes", size); err != nil {
		return nil, nil, err
	}
	lake, table, err := b.openConfig(local)
	if err != nil {
		return nil, nil, err
	}
	queries, err := b.pickQueries(lake, table)
	files, filesErr := table.Files(b.ctx)
	if err := errors.Join(err, filesErr, lake.Close()); err != nil {
		return nil, nil, err
	}
	b.section(fmt.Sprintf("Searches on S3 through a proxy that adds %v to each request, %d data files, newest %d rows with all columns. Counted "+
		"from when the catalog has named metadata.json", remoteDelay, len(files), fetchRows))
	b.row("query", "state", "hits", "rounds", "requests", "KB", "at once", "ms")
	cached := c
	cached.Cache = &firn.CacheConfig{Dir: filepath.Join(b.scratch, "cache")}
	for _, q := range queries[:8] {
		proxy.SetDelay(remoteDelay)
		for _, run := range []struct {
			state  string
			config firn.Config
		}{{"no cache", c}, {"cache cold", cached}, {"cache warm", cached}} {
			n, err := b.remoteNeedle(proxy, run.config, q)
			if err != nil {
				return nil, nil, err
			}
			n.State = run.state
			needles = append(needles, n)
			b.row(n.Query, n.State, n.Hits, n.Rounds, n.Requests, n.Bytes/1000, n.InFlight, ms(n.MS))
		}
		proxy.SetDelay(0)
		hit, err := b.cacheHit(local, cached, q)
		if err != nil {
			return nil, nil, err
		}
		hits = append(hits, hit)
	}
	b.section("The same lake on local disk, and on S3 behind a warm disk cache; opened anew each time, median")
	b.row("query", "local ms", "cached ms", "speed", "local CPU", "cached CPU")
	for _, h := range hits {
		b.row(h.Query, ms(h.LocalMS), ms(h.CachedMS), fmt.Sprintf("%.2f", h.Speed), ms(h.LocalCPU), ms(h.CacheCPU))
	}
	return needles, hits, nil
}

func (b *bench) remoteNeedle(proxy *faultproxy.Proxy, c firn.Config, q benchQuery) (n remoteNeedle, err error) {
	lake, err := firn.Open(b.ctx, c.Lake, firn.WithConfig(c))
	if err != nil {
		return n, err
	}
	defer func() { err = errors.Join(err, lake.Close()) }()
	proxy.Reset()
	start := time.Now()
	n.Hits, err = b.fetchAll(lake, q)
	n.Query, n.MS = q.Name, float64(time.Since(start).Microseconds())/1000
	counts := proxy.Counts()
	n.Rounds, n.Requests, n.Bytes, n.InFlight = proxy.Rounds(), counts.Requests, counts.BytesOut, counts.MaxInFlight
	return n, err
}

// fetchAll loads the table and runs a query for its newest rows.
func (b *bench) fetchAll(lake *firn.Lake, q benchQuery) (rows int, err error) {
	request, err := q.request(false)
	if err != nil {
		return 0, err
	}
	request.Limit = fetchRows
	table, err := lake.Table(b.ctx, tableName)
	if err != nil {
		return 0, err
	}
	scan, err := lake.Plan(b.ctx, table, request)
	if err != nil {
		return 0, err
	}
	for _, err := range scan.Rows(b.ctx) {
		if err != nil {
			return rows, err
		}
		rows++
	}
	return rows, nil
}

// cacheHit measures a query on two lakes by turns.
func (b *bench) cacheHit(local, cached firn.Config, q benchQuery) (h cacheHit, err error) {
	h.Query = q.Name
	var wall, cpu [2][]float64
	for range max(3, b.reps) {
		for i, c := range []firn.Config{local, cached} {
			lake, err := firn.Open(b.ctx, c.Lake, firn.WithConfig(c))
			if err != nil {
				return h, err
			}
			before, start := cpuSeconds(), time.Now()
			_, err = b.fetchAll(lake, q)
			wall[i] = append(wall[i], float64(time.Since(start).Microseconds())/1000)
			cpu[i] = append(cpu[i], 1000*(cpuSeconds()-before))
			if err := errors.Join(err, lake.Close()); err != nil {
				return h, err
			}
		}
	}
	h.LocalMS, h.CachedMS, h.LocalCPU, h.CacheCPU = median(wall[0]), median(wall[1]), median(cpu[0]), median(cpu[1])
	h.Speed = h.LocalMS / h.CachedMS
	return h, nil
}
