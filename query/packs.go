package query

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/firnlog/firn/index"
	"github.com/firnlog/firn/storage"
)

// packMemory is how long a listing of the packs of a table is used. Packs that were built meanwhile are found later; one that was dropped meanwhile is
// missed when it is opened, and the files are asked one by one.
const packMemory = time.Minute

// packListing is what the cache holds for a table's packs.
type packListing struct {
	latest map[string][]index.PackName // by partition
	until  time.Time
}

func (l *packListing) SizeInMemory() int64 {
	const fixed, each = 200, 400
	size := int64(fixed)
	for _, parts := range l.latest {
		size += each * int64(len(parts))
	}
	return size
}

// packEntry is what the cache holds for a pack: the pack, or for a while the reason why it cannot be used.
type packEntry struct {
	pack    *index.Pack
	problem IndexProblem
	until   time.Time
}

func (e *packEntry) SizeInMemory() int64 {
	const fixed = 200
	if e.pack == nil {
		return fixed
	}
	return fixed + e.pack.SizeInMemory()
}

func packsKey(location string) cacheKey {
	return cacheKey{kind: kindPack, name: location, variant: "list"}
}
func packKey(name string) cacheKey { return cacheKey{kind: kindPack, name: name} }

// listPacks returns the packs of an index location (a name in the store) that count, by partition: from the cache, or with one listing.
func (e *Engine) listPacks(ctx context.Context, location string) (map[string][]index.PackName, error) {
	var hits hitCounter
	stale := func(v sized) bool { return !e.now().Before(v.(*packListing).until) }
	v, err := e.cache.get(ctx, packsKey(location), &hits, stale, func() (sized, error) {
		countersOf(ctx).requests.Add(1)
		var names []index.PackName
		for info, err := range e.store.List(ctx, index.PackPrefix(location)) {
			if err != nil {
				return nil, err
			}
			if name, ok := index.ParsePackName(location, info.Name); ok {
				names = append(names, name)
			}
		}
		return &packListing{index.LatestPacks(names), e.now().Add(packMemory)}, nil
	})
	if err != nil {
		return nil, err
	}
	return v.(*packListing).latest, nil
}

// openPack opens a pack, or takes it from the cache. If the pack is unusable, it returns the problem; an error is returned only if the context ended.
func (e *Engine) openPack(ctx context.Context, location, name string, files int) (*index.Pack, IndexProblem, error) {
	var hits hitCounter
	stale := func(v sized) bool {
		entry := v.(*packEntry)
		return entry.problem != "" && !e.now().Before(entry.until)
	}
	v, err := e.cache.get(ctx, packKey(name), &hits, stale, func() (sized, error) {
		pack, err := index.OpenPack(ctx, e.store, name, files)
		if err == nil {
			return &packEntry{pack: pack}, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return e.packProblem(location, name, err), nil
	})
	if err != nil {
		return nil, "", err
	}
	entry := v.(*packEntry)
	return entry.pack, entry.problem, nil
}

// packProblem classifies an error of a pack, and warns about it unless that was done before.
func (e *Engine) packProblem(location, name string, err error) *packEntry {
	problem, remedy := ProblemUnreadable, "check the storage"
	switch {
	case errors.Is(err, storage.ErrNotExist):
		problem, remedy = ProblemMissing, "none: it was dropped, a newer one will be found in a minute"
		e.cache.remove(packsKey(location))
	case errors.Is(err, index.ErrCorrupt):
		problem, remedy = ProblemCorrupt, "delete it and run maintain index"
	case errors.Is(err, index.ErrUnknownVersion):
		problem, remedy = ProblemUnknownVersion, "use the firn that wrote it, or delete it and run maintain index"
	}
	if e.firstTrouble(name) {
		e.log.Warn("bloom pack cannot be used; the sidecars of its files are asked one by one", "problem", string(problem), "pack", name, "error", err, "remedy", remedy)
	}
	return &packEntry{problem: problem, until: e.now().Add(problemMemory)}
}

// dropPack remembers that a pack failed when it was asked for a token.
func (e *Engine) dropPack(location, name string, err error) IndexProblem {
	entry := e.packProblem(location, name, err)
	e.cache.replace(packKey(name), entry)
	return entry.problem
}

// PackReport tells what bloom packs did for a search.
type PackReport struct {
	Used     int                  `json:"used"`               // packs that were asked
	Files    int                  `json:"files"`              // that they were asked about
	Skipped  int                  `json:"skipped"`            // of these, files that cannot hold a match
	Problems map[IndexProblem]int `json:"problems,omitempty"` // packs that could not be used, by reason
}

// packTally collects a PackReport from several goroutines.
type packTally struct {
	mu     sync.Mutex
	report PackReport
}

func (t *packTally) used(files, skipped int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.report.Used++
	t.report.Files += files
	t.report.Skipped += skipped
}

func (t *packTally) problem(p IndexProblem) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.report.Problems == nil {
		t.report.Problems = map[IndexProblem]int{}
	}
	t.report.Problems[p]++
}

// get returns the report so far; nil if there is nothing to tell.
func (t *packTally) get() *PackReport {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.report.Used == 0 && len(t.report.Problems) == 0 {
		return nil
	}
	r := t.report
	r.Problems = maps.Clone(r.Problems)
	return &r
}
