package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/firnlog/firn/catalog"
	"github.com/firnlog/firn/index"
	"github.com/firnlog/firn/query"
	"github.com/firnlog/firn/storage"
	"github.com/firnlog/firn/storage/mem"
	"github.com/firnlog/firn/storage/metered"
)

// smallFilesTarget is how many ranged reads a needle in 10,000 files may take before data is read.
const smallFilesTarget = 12

// smallFilesCost is what finding one row in many small files of one partition costs an engine that has just been started.
type smallFilesCost struct {
	Files    int              `json:"files"`
	Pack     bool             `json:"pack"` // bloom packs were built
	Query    string           `json:"query"`
	Hits     int              `json:"hits"`
	Requests map[string]int   `json:"requests"` // ranged reads, by what was read: metadata, pack, sidecar, data
	Bytes    map[string]int64 `json:"bytes"`
	Before   int64            `json:"requests_before_data"` // all reads but those of data files
	Lists    int64            `json:"lists"`                // listings of the store, which come before data, too
}

// readKind says what an object of a lake is: metadata, data, pack or sidecar.
func readKind(name string) string {
	switch {
	case strings.Contains(name, "/metadata/"):
		return "metadata"
	case strings.HasSuffix(name, ".parquet"):
		return "data"
	case index.IsPack(name):
		return "pack"
	default:
		return "sidecar"
	}
}

// readsByKind counts the reads of a store by what is read. It presents itself as a remote one, of which as little as possible is read.
type readsByKind struct {
	remoteTraits
	mu       sync.Mutex
	requests map[string]int
	bytes    map[string]int64
}

func newReadsByKind(inner storage.Store) *readsByKind {
	return &readsByKind{remoteTraits: remoteTraits{inner}, requests: map[string]int{}, bytes: map[string]int64{}}
}

func (r *readsByKind) count(name string, n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests[readKind(name)]++
	r.bytes[readKind(name)] += int64(n)
}

func (r *readsByKind) ReadAt(ctx context.Context, name string, p []byte, off int64) error {
	r.count(name, len(p))
	return r.Store.ReadAt(ctx, name, p, off)
}

func (r *readsByKind) ReadTail(ctx context.Context, name string, p []byte) (n int, size int64, err error) {
	n, size, err = r.Store.ReadTail(ctx, name, p)
	r.count(name, n)
	return n, size, err
}

// smallFiles makes many small files in one partition and looks for one row.
func (x *indexBench) smallFiles() error {
	files := 10_000
	if x.rows > 0 {
		files = int(min(int64(files), max(200, x.rows/20)))
	}
	x.section(fmt.Sprintf("A needle in %d small files of one partition: ranged reads of an engine just started, from a store with the traits of "+
		"a remote one", files))
	lake, err := makeSmallFiles(x.ctx, mem.New(), "sqlite://"+filepath.Join(x.scratch, "small.db"), files)
	if err != nil {
		return err
	}
	x.row("state", "query", "hits", "metadata", "pack", "sidecar", "before data", "lists", "data", "KB bef. data", "KB data", "target")
	for _, text := range []string{lake.needles[0], absentNeedle} {
		if err := x.smallSearch(lake, "without pack", text); err != nil {
			return err
		}
	}
	built, err := lake.buildPacks(x.ctx)
	if err != nil {
		return err
	}
	if !built {
		fmt.Fprintln(x.out, "no pack")
		return nil
	}
	most := int64(0)
	for _, text := range append(lake.needles, absentNeedle) {
		if err := x.smallSearch(lake, "through the pack", text); err != nil {
			return err
		}
		if text != absentNeedle {
			most = max(most, x.result.Files[len(x.result.Files)-1].Before)
		}
	}
	x.result.atMost(fmt.Sprintf("needle in %d small files through the pack, ranged reads before data, worst of %d", files, len(lake.needles)),
		float64(most), smallFilesTarget, "")
	return nil
}

// absentNeedle is a word that no file holds.
const absentNeedle = "zzabsentzz"

// smallSearch measures one search and prints it.
func (x *indexBench) smallSearch(lake *smallLake, state, text string) error {
	c, err := lake.search(x.ctx, text)
	if err != nil {
		return err
	}
	x.result.Files = append(x.result.Files, c)
	verdict := ""
	if c.Pack && text != absentNeedle {
		verdict = check{Target: smallFilesTarget, Reached: c.Before <= smallFilesTarget}.text()
	}
	before := c.Bytes["metadata"] + c.Bytes["pack"] + c.Bytes["sidecar"]
	x.row(state, text, c.Hits, c.Requests["metadata"], c.Requests["pack"], c.Requests["sidecar"], c.Before, c.Lists, c.Requests["data"],
		before/1000, c.Bytes["data"]/1000, verdict)
	return nil
}

// search looks for a word, with a fresh catalog and a fresh engine.
func (l *smallLake) search(ctx context.Context, text string) (c smallFilesCost, err error) {
	byKind := newReadsByKind(l.store)
	store := metered.New(byKind)
	cat, err := catalog.Open(ctx, catalog.Options{Store: store, URI: l.uri})
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, cat.Close()) }()
	table, err := cat.Load(ctx, tableName)
	if err != nil {
		return c, err
	}
	engine := query.NewEngine(store, query.EngineOptions{})
	c = smallFilesCost{Files: l.files, Pack: l.packed, Query: text}
	scan, err := engine.Plan(ctx, table, query.Request{Predicate: query.HasToken{Column: query.Col("log_msg"), Text: text}})
	if err != nil {
		return c, err
	}
	for _, err := range scan.Rows(ctx) {
		if err != nil {
			return c, err
		}
		c.Hits++
	}
	byKind.mu.Lock()
	defer byKind.mu.Unlock()
	c.Requests, c.Bytes = maps.Clone(byKind.requests), maps.Clone(byKind.bytes)
	counts := store.Counts()
	c.Before, c.Lists = counts.Requests-int64(c.Requests["data"]), counts.Lists
	if want := slices.Contains(l.needles, text); want != (c.Hits == 1) {
		return c, fmt.Errorf("%q was found in %d rows", text, c.Hits)
	}
	return c, nil
}
