package firn

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/firnlog/firn/catalog"
	"github.com/firnlog/firn/ingest"
	"github.com/firnlog/firn/maintain"
	"github.com/firnlog/firn/query"
	"github.com/firnlog/firn/storage"
	"github.com/firnlog/firn/storage/local"
)

// catalogFile is the SQLite database in a lake's directory that holds the pointers to the tables' metadata.
const catalogFile = "catalog.db"

// ErrNoLake says that there is no lake at the location, and that Open was told not to make one.
var ErrNoLake = errors.New("there is no lake")

// Lake is a directory with tables: the catalog, and below <namespace>/<table> metadata, data and indexes. It is safe for concurrent
// use, by any number of processes.
type Lake struct {
	store   *local.Store
	catalog *catalog.Catalog
	engine  *query.Engine
	opts    options
}

// Option refines Open.
type Option func(*options)

type options struct {
	logger      *slog.Logger
	now         func() time.Time
	cacheBytes  int64
	parallelism int
	mustExist   bool
}

// WithLogger gives the logger that is told about retries, unusable indexes and clean-ups. Without it nothing is logged.
func WithLogger(l *slog.Logger) Option { return func(o *options) { o.logger = l } }

// WithClock gives the clock. The default is time.Now.
func WithClock(now func() time.Time) Option { return func(o *options) { o.now = now } }

// WithCache bounds the memory for opened indexes and file footers. The default is 256 MiB.
func WithCache(bytes int64) Option { return func(o *options) { o.cacheBytes = bytes } }

// WithParallelism bounds how many files one search or check works on at once. The default follows the number of CPUs.
func WithParallelism(n int) Option { return func(o *options) { o.parallelism = n } }

// MustExist makes Open return ErrNoLake where there is no lake yet, rather than make one.
func MustExist() Option { return func(o *options) { o.mustExist = true } }

// Open opens the lake in a directory, given as a path or file:// URI, and makes it if there is none.
func Open(ctx context.Context, location string, opts ...Option) (*Lake, error) {
	o := options{}
	for _, set := range opts {
		set(&o)
	}
	dir, err := directory(location)
	if err != nil {
		return nil, err
	}
	if o.mustExist {
		if _, err := os.Stat(filepath.Join(dir, catalogFile)); errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%w at %s", ErrNoLake, location)
		}
	}
	store, err := local.New(dir)
	if err != nil {
		return nil, fmt.Errorf("cannot open the lake at %s: %w", location, err)
	}
	// The store's own spelling of the directory, with symbolic links resolved, is what the tables' metadata records.
	c, err := catalog.Open(ctx, catalog.Options{
		Store: store, URI: "sqlite://" + filepath.ToSlash(filepath.Join(store.Dir(), catalogFile)), Logger: o.logger,
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("cannot open the lake at %s: %w", location, err), store.Close())
	}
	engine := query.NewEngine(store, query.EngineOptions{
		CacheBytes: o.cacheBytes, Parallelism: o.parallelism, Logger: o.logger,
	})
	return &Lake{store: store, catalog: c, engine: engine, opts: o}, nil
}

// directory returns the absolute directory that a location names.
func directory(location string) (string, error) {
	path := location
	if scheme, rest, ok := strings.Cut(location, ":"); ok && len(scheme) > 1 && !strings.ContainsAny(scheme, `/\.`) {
		if scheme != "file" {
			return "", fmt.Errorf("%w: a lake at %q: only directories and file:// URIs are supported so far", ErrInvalid, location)
		}
		path = strings.TrimPrefix(rest, "//localhost")
		path = strings.TrimPrefix(path, "//")
		if !filepath.IsAbs(path) {
			return "", fmt.Errorf("%w: a lake at %q: a file URI needs an absolute path, such as file:///var/lake", ErrInvalid, location)
		}
	}
	if path == "" {
		return "", fmt.Errorf("%w: the location of the lake is empty", ErrInvalid)
	}
	return filepath.Abs(path)
}

// Close releases what the lake holds open. Scans and writers must have ended.
func (l *Lake) Close() error {
	return errors.Join(l.catalog.Close(), l.store.Close())
}

// URI returns the lake's location as the tables' metadata spells it.
func (l *Lake) URI() string { return l.store.URI("") }

// Store returns the store below the lake, for programs that read its files themselves.
func (l *Lake) Store() storage.Store { return l.store }

// Create makes an empty table, or returns ErrTableExists.
func (l *Lake) Create(ctx context.Context, spec TableSpec) (*Table, error) {
	return l.catalog.Create(ctx, spec)
}

// Table returns a table as it is now, or ErrTableNotFound. "web" is short for "default.web".
func (l *Lake) Table(ctx context.Context, name string) (*Table, error) {
	return l.catalog.Load(ctx, name)
}

// Tables returns the full names of all tables, sorted.
func (l *Lake) Tables(ctx context.Context) ([]string, error) { return l.catalog.List(ctx) }

// Drop removes a table with its data and indexes.
func (l *Lake) Drop(ctx context.Context, name string) error { return l.catalog.Drop(ctx, name) }

// Writer returns a writer that appends rows to a table. ctx bounds the whole life of the writer. Logger and Now come from the lake
// unless the options set them.
func (l *Lake) Writer(ctx context.Context, t *Table, opts WriterOptions) (*Writer, error) {
	if opts.Logger == nil {
		opts.Logger = l.opts.logger
	}
	if opts.Now == nil {
		opts.Now = l.opts.now
	}
	return ingest.NewWriter(ctx, t, l.store, opts)
}

// Plan prunes a table's files for a request and returns the search that is still to be run.
func (l *Lake) Plan(ctx context.Context, t *Table, r Request) (*Scan, error) {
	return l.engine.Plan(ctx, t, r)
}

// Search yields the rows of a table, as it is now, that match a query text (see Parse) and a request, whose Predicate is added to the text.
func (l *Lake) Search(ctx context.Context, table, text string, r Request) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		scan, err := l.scan(ctx, table, text, r)
		if err != nil {
			yield(Row{}, err)
			return
		}
		scan.Rows(ctx)(yield)
	}
}

// Count returns how many rows Search would yield without a limit.
func (l *Lake) Count(ctx context.Context, table, text string, r Request) (int64, error) {
	scan, err := l.scan(ctx, table, text, r)
	if err != nil {
		return 0, err
	}
	return scan.Count(ctx)
}

func (l *Lake) scan(ctx context.Context, table, text string, r Request) (*Scan, error) {
	p, err := query.Parse(text)
	if err != nil {
		return nil, err
	}
	if r.Predicate != nil {
		p = query.And{p, r.Predicate}
	}
	r.Predicate = p
	t, err := l.catalog.Load(ctx, table)
	if err != nil {
		return nil, err
	}
	return l.engine.Plan(ctx, t, r)
}

// Verify checks everything that a table's metadata and indexes claim against its data.
func (l *Lake) Verify(ctx context.Context, t *Table, opts VerifyOptions) (*VerifyReport, error) {
	if opts.Parallelism == 0 {
		opts.Parallelism = l.opts.parallelism
	}
	return maintain.Verify(ctx, l.store, t, opts)
}

// PlanIndex finds the data files whose sidecar index is missing, damaged or out of date. Apply of the plan builds them.
func (l *Lake) PlanIndex(ctx context.Context, t *Table, opts IndexOptions) (*IndexPlan, error) {
	if opts.Parallelism == 0 {
		opts.Parallelism = l.opts.parallelism
	}
	return maintain.PlanIndex(ctx, l.store, t, opts)
}

// IndexSize returns how many sidecar indexes a table has, and their bytes together, as the storage lists them.
func (l *Lake) IndexSize(ctx context.Context, t *Table) (sidecars, bytes int64, err error) {
	prefix, ok := storage.NameOf(l.store, t.IndexLocation())
	if !ok {
		return 0, 0, nil
	}
	for info, err := range l.store.List(ctx, prefix+"/") {
		if err != nil {
			return 0, 0, fmt.Errorf("cannot list the indexes of %s: %w", t.Name(), err)
		}
		sidecars++
		bytes += info.Size
	}
	return sidecars, bytes, nil
}
