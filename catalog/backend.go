package catalog

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/apache/iceberg-go"
	iceio "github.com/apache/iceberg-go/io"
	"github.com/apache/iceberg-go/table"
	"github.com/google/uuid"
	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/firnlog/firn/storage"
)

// backend keeps the tables: what iceberg-go calls a catalog, cut down to what firn needs. Databases satisfy it through a pointerBackend,
// REST catalogs through a restBackend.
type backend interface {
	table.CatalogIO
	// commitTable makes updates that were staged on base, after written has returned nil: what the updates refer to is durable then.
	//
	// It has three outcomes that the commit loop tells apart: nil; an error wrapping table.ErrCommitFailed (lost the race) or
	// errNotCommitted (failed before anything could take effect); and any other error, which leaves the outcome open.
	commitTable(ctx context.Context, base *table.Table, requirements []table.Requirement, updates []table.Update,
		written func() error) (table.Metadata, string, error)
	createTable(ctx context.Context, ident table.Identifier, metadata table.Metadata) (*table.Table, error)
	dropTable(ctx context.Context, ident table.Identifier) error
	// listTables returns all tables, and where the catalog does not tell it without being asked for each, no locations.
	listTables(ctx context.Context) ([]pointer, error)
	// locations returns all tables with the locations of their metadata.
	locations(ctx context.Context) ([]pointer, error)
	// skew returns how far the catalog's clock is ahead of ours, where the catalog has a clock that decides.
	skew() time.Duration
	// cleansUp says that the catalog itself deletes the metadata files that it drops from a table's log.
	cleansUp() bool
	close() error
}

// errNotCommitted marks failures of a commit that certainly had no effect.
var errNotCommitted = errors.New("nothing was committed")

// pointer says which metadata.json is a table's current one.
type pointer struct {
	ident    table.Identifier
	location string
}

// pointerStore is a set of pointers with compare-and-swap: all that a database has to do to be a catalog.
type pointerStore interface {
	// get returns the current location, or ErrTableNotFound.
	get(ctx context.Context, ident table.Identifier) (string, error)
	// insert adds a table and its namespace, or returns ErrTableExists.
	insert(ctx context.Context, ident table.Identifier, location string) error
	// swap moves the pointer if it still is at from, and says whether it was. After an error either may be true.
	swap(ctx context.Context, ident table.Identifier, from, to string) (bool, error)
	// remove deletes the pointer, or returns ErrTableNotFound.
	remove(ctx context.Context, ident table.Identifier) error
	// list returns all tables.
	list(ctx context.Context) ([]pointer, error)
	close() error
}

// metadataCacheSize is how many parsed metadata files are kept: a few for each of a few tables that are written at once.
const metadataCacheSize = 32

// pointerBackend is a catalog made of metadata files in a store and pointers to them in a database.
//
// It does what iceberg-go's catalog/sql does, on the same two database tables, so that pyiceberg, Java's JdbcCatalog and iceberg-go
// itself open the same database. It stands in for catalog/sql because that one reads and writes metadata.json through the global
// registry of URI schemes (see fileio.go), reports a failed requirement and a lost connection alike as plain errors, so that a
// retry cannot tell a lost race from an unknown outcome, and reads and parses metadata.json anew for every load and commit.
type pointerBackend struct {
	store    storage.Store
	pointers pointerStore
	logger   *slog.Logger
	parsed   *lru.Cache[string, table.Metadata] // by location: a metadata file never changes
}

func newPointerBackend(store storage.Store, pointers pointerStore, logger *slog.Logger) (*pointerBackend, error) {
	parsed, err := lru.New[string, table.Metadata](metadataCacheSize)
	if err != nil {
		return nil, err
	}
	return &pointerBackend{store: store, pointers: pointers, logger: logger, parsed: parsed}, nil
}

func (b *pointerBackend) fileSystem(ctx context.Context) (iceio.IO, error) {
	return newFileIO(ctx, b.store, b.logger), nil
}

// LoadTable reads the table that the pointer leads to. A metadata file that is gone was cleaned up by a writer that moved the
// pointer on in the meantime, so the pointer is read again.
func (b *pointerBackend) LoadTable(ctx context.Context, ident table.Identifier) (*table.Table, error) {
	var gone string
	for {
		location, err := b.pointers.get(ctx, ident)
		if err != nil {
			return nil, err
		}
		if metadata, ok := b.parsed.Get(location); ok {
			return table.New(ident, metadata, location, b.fileSystem, b), nil
		}
		loaded, err := table.NewFromLocation(ctx, ident, location, b.fileSystem, b)
		if errors.Is(err, storage.ErrNotExist) && location != gone {
			gone = location
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("table %s: %w", fullName(ident), err)
		}
		b.parsed.Add(location, loaded.Metadata())
		return loaded, nil
	}
}

func (b *pointerBackend) createTable(ctx context.Context, ident table.Identifier, metadata table.Metadata) (*table.Table, error) {
	location, err := b.writeMetadata(ctx, metadata, 0)
	if err != nil {
		return nil, err
	}
	if err := b.pointers.insert(ctx, ident, location); err != nil {
		now, lookupErr := b.pointers.get(context.WithoutCancel(ctx), ident)
		if lookupErr != nil || now != location { // else it went through, and only the answer was lost
			if errors.Is(err, ErrTableExists) {
				b.discard(ctx, location)
			}
			return nil, err
		}
	}
	b.parsed.Add(location, metadata)
	return table.New(ident, metadata, location, b.fileSystem, b), nil
}

// CommitTable implements table.CatalogIO: it applies the updates to the table as it is now.
func (b *pointerBackend) CommitTable(ctx context.Context, ident table.Identifier, requirements []table.Requirement,
	updates []table.Update) (table.Metadata, string, error) {
	current, err := b.LoadTable(ctx, ident)
	if err != nil {
		return nil, "", fmt.Errorf("%w: %w", errNotCommitted, err)
	}
	return b.commitTable(ctx, current, requirements, updates, func() error { return nil })
}

// commitTable applies the updates to base, writes the new metadata file, and swaps the pointer if it still leads to base.
func (b *pointerBackend) commitTable(ctx context.Context, base *table.Table, requirements []table.Requirement, updates []table.Update,
	written func() error) (table.Metadata, string, error) {
	from := base.MetadataLocation()
	for _, requirement := range requirements {
		if err := requirement.Validate(base.Metadata()); err != nil {
			return nil, "", fmt.Errorf("%w: %w", table.ErrCommitFailed, err)
		}
	}
	updated, err := applyUpdates(base.Metadata(), updates, from)
	if err != nil {
		return nil, "", fmt.Errorf("%w: %w", errNotCommitted, err)
	}
	if updated.Equals(base.Metadata()) {
		return base.Metadata(), from, nil
	}
	location, err := b.writeMetadata(ctx, updated, metadataVersion(from)+1)
	if err = errors.Join(err, written()); err != nil {
		if location != "" {
			b.discard(ctx, location)
		}
		return nil, "", fmt.Errorf("%w: %w", errNotCommitted, err)
	}
	// From here on a cancelled context would only make the outcome unknown, so it is not listened to.
	won, err := b.pointers.swap(context.WithoutCancel(ctx), base.Identifier(), from, location)
	if err == nil && !won {
		won, err = b.wonBefore(ctx, base.Identifier(), location)
	}
	if errors.Is(err, table.ErrCommitFailed) || errors.Is(err, errNotCommitted) {
		b.discard(ctx, location)
	}
	if err != nil {
		return nil, "", err
	}
	if !won {
		b.discard(ctx, location)
		return nil, "", fmt.Errorf("%w: the table moved on from %s", table.ErrCommitFailed, path.Base(from))
	}
	b.parsed.Add(location, updated)
	return updated, location, nil
}

// wonBefore asks after a lost swap whether it lost against itself: a proxy, a pooler or a driver may have sent it twice. The metadata
// file of a swap that took effect must not be deleted.
func (b *pointerBackend) wonBefore(ctx context.Context, ident table.Identifier, location string) (bool, error) {
	now, err := b.pointers.get(context.WithoutCancel(ctx), ident)
	if errors.Is(err, ErrTableNotFound) {
		return false, nil
	}
	return now == location, err
}

func (b *pointerBackend) dropTable(ctx context.Context, ident table.Identifier) error {
	return b.pointers.remove(ctx, ident)
}

func (b *pointerBackend) listTables(ctx context.Context) ([]pointer, error) {
	return b.pointers.list(ctx)
}

func (b *pointerBackend) locations(ctx context.Context) ([]pointer, error) {
	return b.pointers.list(ctx)
}

func (b *pointerBackend) skew() time.Duration { return 0 }

func (b *pointerBackend) cleansUp() bool { return false }

func (b *pointerBackend) close() error { return b.pointers.close() }

// writeMetadata stores a metadata file durably under a fresh name and returns its location.
func (b *pointerBackend) writeMetadata(ctx context.Context, metadata table.Metadata, version int) (string, error) {
	content, err := json.Marshal(metadata)
	if err != nil {
		return "", fmt.Errorf("encoding table metadata: %w", err)
	}
	suffix := ".metadata.json"
	if metadata.Properties()[table.MetadataCompressionKey] == table.MetadataCompressionCodecGzip {
		var packed bytes.Buffer
		w := gzip.NewWriter(&packed)
		if _, err := w.Write(content); err != nil {
			return "", err
		}
		if err := w.Close(); err != nil {
			return "", err
		}
		content, suffix = packed.Bytes(), ".gz.metadata.json"
	}
	location := fmt.Sprintf("%s/%05d-%s%s", metadataLocation(metadata.Location(), metadata.Properties()), version, uuid.New(), suffix)
	name, err := nameOf(b.store, location)
	if err != nil {
		return "", err
	}
	if err := writeObject(ctx, b.store, name, content); err != nil {
		return "", fmt.Errorf("writing table metadata %q: %w", location, err)
	}
	return location, nil
}

// discard deletes a metadata file that nothing refers to. A file that stays is only litter.
func (b *pointerBackend) discard(ctx context.Context, location string) {
	name, err := nameOf(b.store, location)
	if err == nil {
		err = b.store.Delete(context.WithoutCancel(ctx), name)
	}
	if err != nil {
		b.logger.Debug("an unused metadata file stays behind", "location", location, "error", err)
	}
}

// metadataLocation returns where a table's metadata files lie.
func metadataLocation(tableLocation string, properties iceberg.Properties) string {
	if location := properties[table.WriteMetadataPathKey]; location != "" {
		return strings.TrimRight(location, "/")
	}
	return strings.TrimRight(tableLocation, "/") + "/metadata"
}

// metadataVersion returns the number that a metadata file's name begins with ("00012-<uuid>.metadata.json", "v12.metadata.json").
func metadataVersion(location string) int {
	digits, _, _ := strings.Cut(strings.TrimPrefix(path.Base(location), "v"), "-")
	digits, _, _ = strings.Cut(digits, ".")
	version, err := strconv.Atoi(digits)
	if err != nil {
		return 0
	}
	return version
}
