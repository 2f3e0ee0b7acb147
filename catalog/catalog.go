package catalog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"path"
	"slices"
	"sync"
	"time"

	"github.com/apache/iceberg-go/table"

	"github.com/firnlog/firn/storage"
)

// Sentinel errors, to be tested with errors.Is.
var (
	// ErrTableExists says that a table of that name exists already.
	ErrTableExists = errors.New("table exists already")
	// ErrTableNotFound says that the catalog has no table of that name.
	ErrTableNotFound = errors.New("table does not exist")
	// ErrInvalid says that a name, a column, a property or another argument is not acceptable; nothing was changed.
	ErrInvalid = errors.New("invalid argument")
	// ErrConflict says that other writers kept moving the table, or that they made the wanted change impossible; nothing was committed.
	ErrConflict = errors.New("commit lost against other writers")
	// ErrCommitUnknown says that a commit failed in a way that leaves its outcome open and that the catalog could not be asked
	// afterwards: load the table again before doing anything else.
	ErrCommitUnknown = errors.New("outcome of the commit is unknown")
	// ErrFilesKept says that a table was dropped from the catalog but that (some of) its files were left where they are.
	ErrFilesKept = errors.New("table dropped, files kept")
	// ErrUnsupported says that a table holds something that firn cannot handle.
	ErrUnsupported = errors.New("unsupported by firn")
)

// Options opens a catalog.
type Options struct {
	// Store holds metadata and data; its root is the warehouse. Required.
	Store storage.Store
	// URI tells who keeps the tables. Required. One of
	//
	//	sqlite:///absolute/path/catalog.db      an embedded database; all writers and readers run on this machine
	//	postgres://user@host:port/database      also postgresql://; ?catalog_name=… goes before Name; what is left out comes from PG*
	//	https://host[:port][/path]?warehouse=…  an Iceberg REST catalog, also http://; see RESTOptions for who we are to it
	//
	// Errors and logs show a URI without its password.
	URI string
	// Name is the catalog's name inside a database; several catalogs may share one. Default "firn".
	Name string
	// REST is only for REST catalogs.
	REST RESTOptions
	// Logger is told about retries and clean-ups; nil discards.
	Logger *slog.Logger
	// Random yields numbers in [0, 1) that spread the retries of concurrent writers; nil is math/rand/v2.
	Random func() float64
	// Now is the clock that snapshots are dated by; nil is time.Now. A table is never dated back: if its last change lies in the
	// future, the next snapshot comes a millisecond after it.
	Now func() time.Time
}

// Catalog is a set of named tables. It is safe for concurrent use, by any number of processes.
type Catalog struct {
	backend backend
	store   storage.Store
	logger  *slog.Logger
	random  func() float64
	now     func() time.Time
	objects *objectCache
	wait    func(ctx context.Context, d time.Duration) error

	mu        sync.Mutex
	views     map[string]*Table         // the latest view of each table, by full name: an unchanged table keeps its cached files
	manifests map[string]*manifestCache // by full name
	gates     map[string]chan struct{}  // one committer a table within this process, by full name
}

// Open opens a catalog, and makes an empty one where there is none.
func Open(ctx context.Context, opts Options) (*Catalog, error) {
	if opts.Store == nil {
		return nil, fmt.Errorf("%w: a catalog needs a store", ErrInvalid)
	}
	c := &Catalog{
		store: opts.Store, logger: opts.Logger, random: opts.Random, now: opts.Now, wait: sleep,
		views: map[string]*Table{}, manifests: map[string]*manifestCache{}, gates: map[string]chan struct{}{},
	}
	if c.logger == nil {
		c.logger = slog.New(slog.DiscardHandler)
	}
	if c.random == nil {
		c.random = rand.Float64
	}
	if c.now == nil {
		c.now = time.Now //nolint:forbidigo // the default of an injected clock
	}
	opts.Now = c.now
	if opts.Name == "" {
		opts.Name = "firn"
	}
	if err := checkRoot(c.store.URI(""), c.logger); err != nil {
		return nil, err
	}
	var err error
	if c.objects, err = newObjectCache(); err != nil {
		return nil, err
	}
	if c.backend, err = openBackend(ctx, opts, c.logger); err != nil {
		return nil, err
	}
	return c, nil
}

// checkRoot looks whether iceberg-go will spell paths below the store's root in a way that leads back to them. It percent-encodes
// what it appends to, so that a space becomes %20 in the names of manifests; firn decodes that, other engines do not.
func checkRoot(root string, logger *slog.Logger) error {
	const probe = "/metadata/x"
	spelled := ""
	if parsed, err := url.Parse(root); err == nil {
		spelled = parsed.JoinPath(probe).String()
	}
	if spelled == root+probe {
		return nil
	}
	if decoded, err := url.PathUnescape(spelled); err != nil || decoded != root+probe {
		return fmt.Errorf("%w: a lake cannot lie at %q, because of a character that means something in a URI (such as ?, # or %%): "+
			"choose another directory", ErrInvalid, root)
	}
	logger.Warn("other engines may not find this lake's metadata, because its path holds characters that are escaped in URIs",
		"root", root)
	return nil
}

// Close releases the connections. Tables that were loaded stay readable, but cannot be refreshed or committed to.
func (c *Catalog) Close() error { return c.backend.close() }

// Create makes an empty table, and its namespace on demand. It returns ErrTableExists if the name is taken.
func (c *Catalog) Create(ctx context.Context, spec TableSpec) (*Table, error) {
	ident, err := parseName(spec.Name)
	if err != nil {
		return nil, err
	}
	if err := checkProperties(spec.Properties); err != nil {
		return nil, err
	}
	metadata, err := newMetadata(spec, c.store.URI(path.Join(ident...)))
	if err != nil {
		return nil, fmt.Errorf("creating table %s: %w", fullName(ident), err)
	}
	created, err := c.backend.createTable(ctx, ident, metadata)
	if err != nil {
		return nil, err
	}
	return c.view(created), nil
}

// Load returns the table as it is now, or ErrTableNotFound. As long as nothing is committed it returns the same *Table, with
// whatever that has cached.
func (c *Catalog) Load(ctx context.Context, name string) (*Table, error) {
	ident, err := findName(name)
	if err != nil {
		return nil, err
	}
	return c.load(ctx, ident)
}

func (c *Catalog) load(ctx context.Context, ident table.Identifier) (*Table, error) {
	loaded, err := c.backend.LoadTable(ctx, ident)
	if err != nil {
		return nil, err
	}
	return c.view(loaded), nil
}

// view wraps a table, or returns the view that there is of that very state.
func (c *Catalog) view(loaded *table.Table) *Table {
	name := fullName(loaded.Identifier())
	c.mu.Lock()
	defer c.mu.Unlock()
	if known := c.views[name]; known != nil && known.inner.MetadataLocation() == loaded.MetadataLocation() {
		return known
	}
	view := newTable(c, loaded)
	uuid := loaded.Metadata().TableUUID()
	if known := c.manifests[name]; known == nil || known.table != uuid {
		c.manifests[name] = &manifestCache{table: uuid}
	}
	view.manifests = c.manifests[name]
	c.views[name] = view
	return view
}

// List returns the full names ("default.web") of all tables, sorted.
func (c *Catalog) List(ctx context.Context) ([]string, error) {
	pointers, err := c.backend.listTables(ctx)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(pointers))
	for i, p := range pointers {
		names[i] = fullName(p.ident)
	}
	slices.Sort(names)
	return names, nil
}

// sleep waits for d or until the context ends.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
