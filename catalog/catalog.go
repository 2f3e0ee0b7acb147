package catalog

import (
	"context"
	"errors"
	"log/slog"
	"time"

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
	// URI tells where the pointers to the tables are kept: "sqlite:///absolute/path/catalog.db". Required.
	URI string
	// Name is the catalog's name inside the database; several catalogs may share one. Default "firn".
	Name string
	// Logger is told about retries and clean-ups; nil discards.
	Logger *slog.Logger
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// Random yields numbers in [0, 1) that spread the retries of concurrent writers; nil is math/rand/v2.
	Random func() float64
}

// Catalog is a set of named tables. It is safe for concurrent use, by any number of processes.
type Catalog struct{}

// Open opens a catalog, and makes an empty one where there is none.
func Open(ctx context.Context, opts Options) (*Catalog, error) { return nil, errors.ErrUnsupported }

// Close releases the database. Tables that were loaded stay readable, but cannot be refreshed or committed to.
func (c *Catalog) Close() error { return nil }

// Create makes an empty table, and its namespace on demand. It returns ErrTableExists if the name is taken.
func (c *Catalog) Create(ctx context.Context, spec TableSpec) (*Table, error) {
	return nil, errors.ErrUnsupported
}

// Load returns the table as it is now, or ErrTableNotFound.
func (c *Catalog) Load(ctx context.Context, name string) (*Table, error) {
	return nil, errors.ErrUnsupported
}

// List returns the full names ("default.web") of all tables, sorted.
func (c *Catalog) List(ctx context.Context) ([]string, error) { return nil, errors.ErrUnsupported }

// Drop removes the table from the catalog, and then deletes everything under its location and its index location. Where those lie
// outside the store nothing is deleted there and the error wraps ErrFilesKept; the table is gone all the same.
func (c *Catalog) Drop(ctx context.Context, name string) error { return errors.ErrUnsupported }
