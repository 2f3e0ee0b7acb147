package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/firnlog/firn"
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
	return l, l.read(out, usage)
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
	return b.open(c.Lake, firn.WithConfig(c))
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
