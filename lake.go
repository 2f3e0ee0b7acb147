package firn

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"time"

	"github.com/firnlog/firn/catalog"
	"github.com/firnlog/firn/index"
	"github.com/firnlog/firn/ingest"
	"github.com/firnlog/firn/maintain"
	"github.com/firnlog/firn/query"
	"github.com/firnlog/firn/storage"
)

// catalogFile is the SQLite database in a lake's directory that holds the pointers to the tables' metadata.
const catalogFile = "catalog.db"

// ErrNoLake says that there is no lake at the location, and that Open was told not to make one.
var ErrNoLake = errors.New("there is no lake")

// Lake is a place with tables: below <namespace>/<table> their metadata, data and indexes, and a catalog that lists them. It is safe
// for concurrent use, by any number of processes.
type Lake struct {
	raw     StoreCloser // the storage itself
	store   StoreCloser // raw, or the disk cache above it
	catalog *catalog.Catalog
	engine  *query.Engine
	opts    options
}

// Open opens the lake at a location, and makes it if there is none. The location is a directory, as a path or file:// URI, or
//
//	s3://bucket/path             S3 or one of its likes; see WithS3
//	hdfs://host:port/path        HDFS, also hdfs://nameservice/path; see WithHDFS
//	webhdfs://host:port/path     HDFS over HTTP; see WithWebHDFS
//
// For these an option Catalog is needed.
func Open(ctx context.Context, location string, opts ...Option) (*Lake, error) {
	o := newOptions(opts)
	p, err := placeOf(location)
	if err != nil {
		return nil, err
	}
	if err := checkCatalog(p, o); err != nil {
		return nil, err
	}
	if o.mustExist && !p.remote() && o.catalog == "" {
		if _, err := os.Stat(filepath.Join(p.uri, catalogFile)); errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%w at %s", ErrNoLake, location)
		}
	}
	raw, err := openStore(ctx, p, o)
	if err != nil {
		return nil, err
	}
	lake, err := openLake(ctx, p, raw, o)
	if err != nil {
		return nil, errors.Join(err, raw.Close())
	}
	return lake, nil
}

func openLake(ctx context.Context, p place, raw StoreCloser, o options) (*Lake, error) {
	store, err := withCache(raw, p, o)
	if err != nil {
		return nil, err
	}
	c, err := catalog.Open(ctx, catalog.Options{Store: store, URI: catalogOf(raw, o), Name: o.catalogName, Logger: o.logger})
	if err != nil {
		err = fmt.Errorf("cannot open the lake at %s: %w", p.uri, err)
		if store != raw {
			err = errors.Join(err, store.Close())
		}
		return nil, err
	}
	engine := query.NewEngine(store, query.EngineOptions{
		CacheBytes: o.cacheBytes, CacheEntries: o.cacheEntries, Parallelism: o.parallelism, Logger: o.logger, Now: o.now,
	})
	return &Lake{raw: raw, store: store, catalog: c, engine: engine, opts: o}, nil
}

// Close releases what the lake holds open. Scans and writers must have ended.
func (l *Lake) Close() error {
	err := l.catalog.Close()
	if l.store != l.raw {
		err = errors.Join(err, l.store.Close())
	}
	return errors.Join(err, l.raw.Close())
}

// URI returns the lake's location as the tables' metadata spells it.
func (l *Lake) URI() string { return l.store.URI("") }

// Store returns the store below the lake, for programs that read its files themselves.
func (l *Lake) Store() storage.Store { return l.store }

// Create makes an empty table, or returns ErrTableExists. Value indexes that the properties declare must fit the columns (index.ErrInvalidOptions).
func (l *Lake) Create(ctx context.Context, spec TableSpec) (*Table, error) {
	if err := CheckValueIndexes(spec); err != nil {
		return nil, fmt.Errorf("creating table %s: %w", spec.Name, err)
	}
	// Some servers ignore conditions without a word. That is found out before there is anything to lose.
	if store, ok := l.raw.(interface {
		CheckConditionalWrites(ctx context.Context) error
	}); ok {
		if err := store.CheckConditionalWrites(ctx); err != nil {
			return nil, fmt.Errorf("creating table %s: %w", spec.Name, err)
		}
	}
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

// Query plans a question to a table, for rows, numbers or groups, and returns the answer that is still to be run.
func (l *Lake) Query(ctx context.Context, t *Table, q Query, o AskOptions) (*Answer, error) {
	return l.engine.Ask(ctx, t, q, o)
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

// CacheStats tells what the lake keeps in memory between searches, and how that has served. The disk cache is apart from it.
func (l *Lake) CacheStats() CacheStats { return l.engine.CacheStats() }

// Verify checks everything that a table's metadata and indexes claim against its data. It reads the storage itself, not the disk cache.
func (l *Lake) Verify(ctx context.Context, t *Table, opts VerifyOptions) (*VerifyReport, error) {
	if opts.Parallelism == 0 {
		opts.Parallelism = l.opts.parallelism
	}
	return maintain.Verify(ctx, l.raw, t, opts)
}

// PlanIndex finds the data files whose sidecar index is missing, damaged or out of date. Apply of the plan builds them.
func (l *Lake) PlanIndex(ctx context.Context, t *Table, opts IndexOptions) (*IndexPlan, error) {
	if opts.Parallelism == 0 {
		opts.Parallelism = l.opts.parallelism
	}
	return maintain.PlanIndex(ctx, l.raw, t, opts)
}

// RemoveUnfinished removes what writers that were killed left half written in the storage, hidden from everybody (temporary files, parts
// of uploads), if it was begun or changed longer than olderThan ago. It returns how many objects these were. Live writers need theirs: leave
// them a day.
func (l *Lake) RemoveUnfinished(ctx context.Context, olderThan time.Duration) (removed int, err error) {
	store, ok := l.raw.(interface {
		RemoveStale(ctx context.Context, olderThan time.Duration) (int, error)
	})
	if !ok {
		return 0, nil
	}
	return store.RemoveStale(ctx, olderThan)
}

// IndexSize returns how many sidecar indexes a table has, and the bytes of all its indexes together, bloom packs included, as the storage lists them.
func (l *Lake) IndexSize(ctx context.Context, t *Table) (sidecars, bytes int64, err error) {
	prefix, ok := storage.NameOf(l.store, t.IndexLocation())
	if !ok {
		return 0, 0, nil
	}
	for info, err := range l.store.List(ctx, prefix+"/") {
		if err != nil {
			return 0, 0, fmt.Errorf("cannot list the indexes of %s: %w", t.Name(), err)
		}
		if index.IsSidecar(info.Name) {
			sidecars++
		}
		bytes += info.Size
	}
	return sidecars, bytes, nil
}
