package query

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path"
	"runtime"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/firnlog/firn/catalog"
	"github.com/firnlog/firn/format"
	"github.com/firnlog/firn/index"
	"github.com/firnlog/firn/storage"
)

// Sentinel errors, to be tested with errors.Is.
var (
	// ErrSyntax says that a text is no predicate. The error is a *SyntaxError.
	ErrSyntax = errors.New("syntax error in query")
	// ErrInvalidRequest says that a request does not fit the table: an unknown column, a value of the wrong type.
	ErrInvalidRequest = errors.New("invalid search")
	// ErrDeletes says that another engine deleted rows of a data file by delete files, which firn does not apply.
	ErrDeletes = errors.New("data file has row-level deletes")
)

// Order is the order in which rows are handed out.
type Order uint8

// The orders. Rows of the same timestamp are ordered by the path of their file and their place in it; NewestFirst is exactly
// the reverse of OldestFirst.
const (
	NewestFirst Order = iota
	OldestFirst
)

// String returns "newest first" or "oldest first".
func (o Order) String() string {
	if o == OldestFirst {
		return "oldest first"
	}
	return "newest first"
}

// Request is a search over one table. The zero value asks for all rows and columns, newest first.
type Request struct {
	Predicate Predicate // nil: All
	// From and To restrict _timestamp to [From, To); zero is open.
	From, To time.Time
	Order    Order
	Limit    int      // number of rows handed out by Rows and Batches, at most; 0: no limit. Count ignores it.
	Columns  []string // columns to hand out, in the table's order; none: all that firn can read
	NoIndex  bool     // use neither sidecars nor Parquet's bloom filters, only what the table's metadata and the data files say
	// ForceIndex asks the sidecars of all files before anything is read, also where that is expected to cost more than it saves: for readers of
	// Tasks, for tests and for comparisons. NoIndex wins.
	ForceIndex bool
	Limits     Limits // what the search may cost; see Scan.Partial. Memory is not looked at.
	// Files are the data files to search, as Table.Files and Table.FilesAddedBy return them, of the table's snapshot or of one before it; nil: all of the snapshot.
	// Bloom packs are not asked about them.
	Files []catalog.DataFile

	beside *beside // nil: anywhere
}

// Defaults of EngineOptions.
const (
	DefaultCacheBytes   = 256 << 20
	DefaultCacheEntries = 1 << 16
	DefaultReadBytes    = 256 << 20
	minParallelism      = 8
)

// EngineOptions tunes an Engine. The zero value gives the defaults.
//
// (1) In a remote store (storage.Traits), waiting for requests takes most of the time and little of anything else. So there a scan may work on as
// many files at once as the store serves requests (Traits.Parallel, which also bounds the requests of all scans together), and Parallelism only
// bounds how many of them decode at the same time.
type EngineOptions struct {
	CacheBytes   int64            // memory for what is kept between searches: see CacheStats; default 256 MiB
	CacheEntries int              // how many things are kept (a sidecar, a footer, a list of files are one each); default 65,536
	Parallelism  int              // files, or pieces of files, worked on at once by one scan; default twice the number of CPUs, at least 8 (1)
	ReadBytes    int64            // memory for what was read of data files of a remote store and is not decoded yet; default 256 MiB
	Logger       *slog.Logger     // told about unusable sidecars; nil discards
	Now          func() time.Time // the clock, for durations and for trying unusable sidecars again; nil is time.Now
}

// Engine plans and runs searches over the tables of one store. It is safe for concurrent use and meant to live long: it keeps
// opened sidecars, Parquet footers and lists of files in a cache that is bounded in bytes and in entries; the least recently used go first.
type Engine struct {
	store       *meteredStore
	cache       *cache
	parallelism int            // pieces of work that use the CPU at once
	width       int            // pieces of work at once, waiting for the store included
	budget      *format.Budget // nil: no bound
	log         *slog.Logger
	now         func() time.Time
	wait        func(ctx context.Context, d time.Duration) error
	sizes       pieceSizes
	regrets     *regrets
	savings     savings

	patternIndex func(*index.Sidecar) patternIndex // what tests put in the place of sidecars; nil: nothing

	mu     sync.Mutex
	warned *simplelru.LRU[string, struct{}] // sidecars that were complained about
}

// NewEngine returns an engine that reads from store.
func NewEngine(store storage.Store, opts EngineOptions) *Engine {
	const rememberedWarnings = 1 << 16
	e := &Engine{store: newMeteredStore(store), parallelism: opts.Parallelism, log: opts.Logger, now: opts.Now, wait: wait, sizes: defaultPieceSizes, regrets: newRegrets()}
	if opts.CacheBytes <= 0 {
		opts.CacheBytes = DefaultCacheBytes
	}
	if opts.CacheEntries <= 0 {
		opts.CacheEntries = DefaultCacheEntries
	}
	e.cache = newCache(opts.CacheBytes, opts.CacheEntries)
	if e.parallelism <= 0 {
		e.parallelism = max(minParallelism, 2*runtime.GOMAXPROCS(0))
	}
	if e.width = e.parallelism; e.remote() {
		e.width = max(e.width, e.store.traits.Parallel)
		if opts.ReadBytes <= 0 {
			opts.ReadBytes = DefaultReadBytes
		}
		e.budget = format.NewBudget(opts.ReadBytes)
	}
	if e.log == nil {
		e.log = slog.New(slog.DiscardHandler)
	}
	if e.now == nil {
		e.now = time.Now //nolint:forbidigo // the default clock
	}
	e.warned, _ = simplelru.NewLRU[string, struct{}](rememberedWarnings, nil) // fails only for sizes below one
	return e
}

// CacheStats tells what the engine's cache holds and how it has served.
func (e *Engine) CacheStats() CacheStats { return e.cache.stats() }

// remote says whether a request to the store costs a round trip.
func (e *Engine) remote() bool { return e.store.traits.Remote }

// Keys of the cache.

func fileKey(name, schemaKey string) cacheKey {
	return cacheKey{kind: kindFooter, name: name, variant: schemaKey}
}
func pageKey(file string, offset int64) cacheKey {
	return cacheKey{kind: kindPage, name: file, variant: strconv.FormatInt(offset, 36)}
}
func rowsKey(sidecar string, field int, token string) cacheKey {
	return cacheKey{kind: kindRows, name: sidecar, variant: strconv.Itoa(field) + " " + token}
}
func sidecarKey(name string) cacheKey { return cacheKey{kind: kindSidecar, name: name} }

// openFile opens a data file, or takes it from the cache.
func (e *Engine) openFile(ctx context.Context, f *filePlan, schema *format.Schema, schemaKey string) (*format.File, error) {
	v, err := e.cache.get(ctx, fileKey(f.name, schemaKey), &countersOf(ctx).files, nil, func() (sized, error) {
		file, err := format.Open(ctx, e.store, f.name, f.data.Size, schema)
		if errors.Is(err, format.ErrCorrupt) && e.store.invalidate(f.name) { // it may be the disk cache that is damaged
			file, err = format.Open(ctx, e.store, f.name, f.data.Size, schema)
		}
		if err != nil {
			return nil, err
		}
		return file, nil
	})
	if err != nil {
		return nil, fmt.Errorf("opening data file %s: %w", f.data.Path, err)
	}
	file := v.(*format.File)
	if file.Rows() != f.rows {
		return nil, fmt.Errorf("%w: data file %s has %d rows, but the table's metadata says %d: restore the file, or rewrite the table's metadata",
			format.ErrCorrupt, f.data.Path, file.Rows(), f.rows)
	}
	return file, nil
}

// sidecarEntry is what the cache holds for a sidecar: the sidecar, or for a while the reason why there is none.
type sidecarEntry struct {
	sidecar *index.Sidecar
	problem IndexProblem
	until   time.Time
}

func (e *sidecarEntry) SizeInMemory() int64 {
	const fixed = 200
	if e.sidecar == nil {
		return fixed
	}
	return fixed + e.sidecar.SizeInMemory()
}

// problemMemory is how long an unusable sidecar is left alone. It may be repaired meanwhile.
const problemMemory = time.Minute

// openSidecar opens the sidecar of a data file, or takes it from the cache. If the sidecar is unusable, it returns the problem; an
// error is returned only if the context ended.
func (e *Engine) openSidecar(ctx context.Context, f *filePlan) (*index.Sidecar, IndexProblem, error) {
	stale := func(v sized) bool {
		entry := v.(*sidecarEntry)
		return entry.problem != "" && !e.now().Before(entry.until)
	}
	v, err := e.cache.get(ctx, sidecarKey(f.sidecarName), &countersOf(ctx).sidecars, stale, func() (sized, error) {
		want := index.Identity{DataFile: path.Base(f.data.Path), Rows: f.rows}
		sidecar, err := index.Open(ctx, e.store, f.sidecarName, want)
		if errors.Is(err, index.ErrCorrupt) && e.store.invalidate(f.sidecarName) { // it may be the disk cache that is damaged
			sidecar, err = index.Open(ctx, e.store, f.sidecarName, want)
		}
		if err == nil {
			return &sidecarEntry{sidecar: sidecar}, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return e.sidecarProblem(f, err), nil
	})
	if err != nil {
		return nil, "", err
	}
	entry := v.(*sidecarEntry)
	return entry.sidecar, entry.problem, nil
}

// sidecarProblem classifies an error of a sidecar, and warns about it unless that was done before.
func (e *Engine) sidecarProblem(f *filePlan, err error) *sidecarEntry {
	problem, remedy := ProblemUnreadable, "check the storage"
	switch {
	case errors.Is(err, storage.ErrNotExist):
		problem, remedy = ProblemMissing, "build the index of this file"
	case errors.Is(err, index.ErrCorrupt):
		problem, remedy = ProblemCorrupt, "delete it and build the index of this file again"
	case errors.Is(err, index.ErrForeign):
		problem, remedy = ProblemForeign, "delete it and build the index of this file again"
	case errors.Is(err, index.ErrUnknownVersion):
		problem, remedy = ProblemUnknownVersion, "use the firn that wrote it, or build the index of this file again"
	}
	if e.firstTrouble(f.sidecarName) {
		e.log.Warn("index sidecar cannot be used; the data file is searched without it", "problem", string(problem), "sidecar", f.sidecarName,
			"data_file", f.data.Path, "error", err, "remedy", remedy)
	}
	return &sidecarEntry{problem: problem, until: e.now().Add(problemMemory)}
}

// firstTrouble says whether nobody was warned about an object yet; the caller does.
func (e *Engine) firstTrouble(name string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	known := e.warned.Contains(name)
	e.warned.Add(name, struct{}{})
	return !known
}

// dropSidecar remembers that a sidecar failed when it was asked for a token.
func (e *Engine) dropSidecar(f *filePlan, err error) IndexProblem {
	entry := e.sidecarProblem(f, err)
	e.cache.replace(sidecarKey(f.sidecarName), entry)
	return entry.problem
}
