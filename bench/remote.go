package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/firnlog/firn"
	"github.com/firnlog/firn/internal/faultproxy"
	"github.com/firnlog/firn/storage"
)

// What the remote benchmark is about.
const (
	remoteFiles = 50                    // data files of the lake that needles are looked for in
	remoteDelay = 30 * time.Millisecond // of each request, for these
	rawChunk    = 8 << 20               // bytes of each request when the store itself is measured
)

// remote is a storage under test.
type remote struct {
	name   string
	config firn.Config
}

// remoteLoad is one load by the firn program.
type remoteLoad struct {
	Place      string  `json:"place"`
	Rate       float64 `json:"mb_per_cpu_second"`
	CPUSeconds float64 `json:"cpu_seconds"`
	Seconds    float64 `json:"seconds"`
	ToLocal    float64 `json:"rate_to_local"`
}

// remoteScan compares reading everything with what the store gives.
type remoteScan struct {
	Place  string  `json:"place"`
	Raw    float64 `json:"store_mb_per_second"` // data files read from beginning to end, one request of 8 MiB after the other
	Scan   float64 `json:"scan_mb_per_second"`  // the same bytes by a search for all rows and columns
	ToRaw  float64 `json:"scan_to_store"`
	CPU    float64 `json:"scan_cpu_seconds"`
	AllCPU bool    `json:"cpu_bound"` // the scan used more than 80 % of all CPUs, which the server shares
}

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

type remoteResult struct {
	Loads   []remoteLoad   `json:"loads"`
	Scans   []remoteScan   `json:"scans"`
	Needles []remoteNeedle `json:"needles"`
	Cache   []cacheHit     `json:"cache"`
}

// remotes are local disk and the storages that the environment names, as scripts/servers/with-servers sets it.
func (b *bench) remotes() ([]remote, error) {
	run := fmt.Sprintf("firn-bench-%d", time.Now().UnixNano())
	list := []remote{{"local", firn.Config{Lake: filepath.Join(b.scratch, "local")}}}
	sqlite := func(name string) string { return "sqlite://" + filepath.Join(b.scratch, name+".db") }
	if endpoint := os.Getenv("S3_ENDPOINT"); endpoint != "" {
		list = append(list, remote{"s3", firn.Config{
			Lake: "s3://" + os.Getenv("S3_BUCKET") + "/" + run, Catalog: sqlite("s3"), S3: firn.S3Config{Endpoint: endpoint},
		}})
	}
	if namenode := os.Getenv("HDFS_NAMENODE"); namenode != "" {
		list = append(list, remote{"hdfs", firn.Config{Lake: "hdfs://" + namenode + "/" + run, Catalog: sqlite("hdfs")}})
	}
	if len(list) == 1 {
		return nil, errors.New("there are no servers: run this as scripts/servers/with-servers go run ./bench remote")
	}
	return list, nil
}

// remote measures lakes on S3 and HDFS against the same lake on local disk.
func (b *bench) remote() (*remoteResult, error) {
	places, err := b.remotes()
	if err != nil {
		return nil, err
	}
	result := &remoteResult{}
	if result.Loads, err = b.remoteLoads(places); err != nil {
		return nil, err
	}
	if result.Scans, err = b.remoteScans(places); err != nil {
		return nil, err
	}
	for _, p := range places {
		if p.name == "s3" {
			if result.Needles, result.Cache, err = b.remoteNeedles(p); err != nil {
				return nil, err
			}
		}
	}
	return result, nil
}

// configFile writes a configuration for the program.
func (b *bench) configFile(name string, c firn.Config) (string, error) {
	if c.Cache == nil {
		c.Cache = &firn.CacheConfig{Dir: "off"}
	}
	text, err := yaml.Marshal(c)
	if err != nil {
		return "", err
	}
	path := filepath.Join(b.scratch, name+".yaml")
	return path, os.WriteFile(path, text, 0o600)
}

// loadAt loads the corpora into a fresh table at a place.
func (b *bench) loadAt(name string, c firn.Config, flags ...string) (l loaded, err error) {
	path, err := b.configFile(name, c)
	if err != nil {
		return l, err
	}
	args := append([]string{"--config", path, "--json", "load", tableName}, flags...)
	for _, corpus := range b.corpora {
		args = append(args, corpus.Path)
	}
	out, usage, err := b.firn(args...)
	if err != nil {
		return l, err
	}
	l.CPUSeconds = seconds(usage.Utime) + seconds(usage.Stime)
	if err := json.Unmarshal(out, &l); err != nil {
		return l, fmt.Errorf("read the report of firn load: %w", err)
	}
	l.CPUSeconds = seconds(usage.Utime) + seconds(usage.Stime)
	l.Rate = float64(l.InputBytes) / 1e6 / l.CPUSeconds
	return l, nil
}

func (b *bench) remoteLoads(places []remote) ([]remoteLoad, error) {
	b.section("Loads with both indexes: MB of JSON per CPU-second of the firn process")
	b.row("place", "MB/CPU-s", "CPU s", "wall s", "to local")
	var list []remoteLoad
	for _, p := range places {
		l, err := b.loadAt(p.name, p.config)
		if err != nil {
			return nil, err
		}
		r := remoteLoad{Place: p.name, Rate: l.Rate, CPUSeconds: l.CPUSeconds, Seconds: l.Seconds, ToLocal: 1}
		if len(list) > 0 {
			r.ToLocal = r.Rate / list[0].Rate
		}
		list = append(list, r)
		b.row(r.Place, fmt.Sprintf("%.1f", r.Rate), fmt.Sprintf("%.1f", r.CPUSeconds), fmt.Sprintf("%.1f", r.Seconds), fmt.Sprintf("%.2f", r.ToLocal))
	}
	return list, nil
}

func (b *bench) openConfig(c firn.Config) (*firn.Lake, *firn.Table, error) {
	lake, err := firn.Open(b.ctx, c.Lake, firn.WithConfig(c))
	if err != nil {
		return nil, nil, err
	}
	table, err := lake.Table(b.ctx, tableName)
	if err != nil {
		return nil, nil, errors.Join(err, lake.Close())
	}
	return lake, table, nil
}

func (b *bench) remoteScans(places []remote) ([]remoteScan, error) {
	b.section("Sequential scans: MB of data files per second of wall time; best of 3. The servers run on the same CPUs")
	b.row("place", "store", "scan", "ratio", "scan CPU s", "CPU bound")
	var list []remoteScan
	for _, p := range places {
		s, err := b.remoteScan(p)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.name, err)
		}
		list = append(list, s)
		b.row(s.Place, fmt.Sprintf("%.0f", s.Raw), fmt.Sprintf("%.0f", s.Scan), fmt.Sprintf("%.2f", s.ToRaw), fmt.Sprintf("%.2f", s.CPU), s.AllCPU)
	}
	return list, nil
}

func (b *bench) remoteScan(p remote) (s remoteScan, err error) {
	s.Place = p.name
	for range 3 {
		raw, err := b.rawRead(p.config)
		if err != nil {
			return s, err
		}
		s.Raw = max(s.Raw, raw)
		rate, cpu, wall, err := b.scanAll(p.config)
		if err != nil {
			return s, err
		}
		if rate > s.Scan {
			s.Scan, s.CPU, s.AllCPU = rate, cpu, cpu > 0.8*wall*float64(b.machine.CPUs)
		}
	}
	s.ToRaw = s.Scan / s.Raw
	return s, nil
}

// rawRead reads the data files one after the other and returns MB per second.
func (b *bench) rawRead(c firn.Config) (rate float64, err error) {
	lake, table, err := b.openConfig(c)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, lake.Close()) }()
	files, err := table.Files(b.ctx)
	if err != nil {
		return 0, err
	}
	buffer, total, start := make([]byte, rawChunk), int64(0), time.Now()
	for _, f := range files {
		name, ok := storage.NameOf(lake.Store(), f.Path)
		if !ok {
			return 0, fmt.Errorf("%s lies outside the lake", f.Path)
		}
		for at := int64(0); at < f.Size; at += rawChunk {
			if err := lake.Store().ReadAt(b.ctx, name, buffer[:min(rawChunk, f.Size-at)], at); err != nil {
				return 0, err
			}
		}
		total += f.Size
	}
	return float64(total) / 1e6 / time.Since(start).Seconds(), nil
}

// scanAll reads all rows and columns as Arrow batches.
func (b *bench) scanAll(c firn.Config) (rate, cpu, wall float64, err error) {
	lake, table, err := b.openConfig(c)
	if err != nil {
		return 0, 0, 0, err
	}
	defer func() { err = errors.Join(err, lake.Close()) }()
	files, err := table.Files(b.ctx)
	if err != nil {
		return 0, 0, 0, err
	}
	before, start := cpuSeconds(), time.Now()
	scan, err := lake.Plan(b.ctx, table, firn.Request{NoIndex: true, Order: firn.OldestFirst})
	if err != nil {
		return 0, 0, 0, err
	}
	for batch, err := range scan.Batches(b.ctx) {
		if err != nil {
			return 0, 0, 0, err
		}
		batch.Release()
	}
	wall, cpu = time.Since(start).Seconds(), cpuSeconds()-before
	var total int64
	for _, f := range files {
		total += f.Size
	}
	return float64(total) / 1e6 / wall, cpu, wall, nil
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
	median := func(list []float64) float64 { slices.Sort(list); return list[len(list)/2] }
	h.LocalMS, h.CachedMS, h.LocalCPU, h.CacheCPU = median(wall[0]), median(wall[1]), median(cpu[0]), median(cpu[1])
	h.Speed = h.LocalMS / h.CachedMS
	return h, nil
}
