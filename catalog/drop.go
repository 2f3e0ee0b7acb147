package catalog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/apache/iceberg-go/table"
	"golang.org/x/sync/errgroup"

	"github.com/firnlog/firn/storage"
)

// Drop removes the table from the catalog, and then deletes everything under its location and its index location. What lies outside
// the store, or below which another table lies too, is not deleted, and the error then wraps ErrFilesKept and says where; the table
// is gone all the same. The same error reports files that could not be deleted.
func (c *Catalog) Drop(ctx context.Context, name string) error {
	ident, err := findName(name)
	if err != nil {
		return err
	}
	// Files are listed before the name is free, so that nothing is deleted of a table that is made anew under the same name.
	var files, kept []string
	t, loadErr := c.load(ctx, ident)
	switch {
	case errors.Is(loadErr, ErrTableNotFound), ctx.Err() != nil:
		return loadErr
	case loadErr != nil: // broken or foreign metadata must not keep a table from being dropped
		kept = append(kept, "all of its files, because its metadata cannot be read: "+loadErr.Error())
	default:
		files, kept, err = c.filesToPurge(ctx, t)
		if err != nil {
			return fmt.Errorf("dropping table %s: %w", fullName(ident), err)
		}
	}
	if err := c.backend.dropTable(ctx, ident); err != nil {
		return err
	}
	c.mu.Lock()
	delete(c.views, fullName(ident))
	c.mu.Unlock()

	kept = append(kept, c.purge(ctx, files)...)
	if len(kept) > 0 {
		return fmt.Errorf("%w: %s: %s", ErrFilesKept, fullName(ident), strings.Join(kept, "; "))
	}
	return nil
}

// purge deletes files side by side, and says which of them it could not delete.
func (c *Catalog) purge(ctx context.Context, files []string) (kept []string) {
	var mu sync.Mutex
	var group errgroup.Group
	group.SetLimit(parallelRequests(c.store))
	for _, file := range files {
		group.Go(func() error {
			err := ctx.Err()
			if err == nil {
				err = c.store.Delete(ctx, file)
			}
			if err != nil {
				mu.Lock()
				defer mu.Unlock()
				kept = append(kept, fmt.Sprintf("%s: %v", c.store.URI(file), err))
			}
			return nil
		})
	}
	_ = group.Wait()
	return kept
}

// filesToPurge lists what lies below the table's locations, and says which locations must be left alone.
func (c *Catalog) filesToPurge(ctx context.Context, t *Table) (files, kept []string, err error) {
	tables, err := c.backend.locations(ctx)
	if ctx.Err() != nil {
		return nil, nil, err
	}
	if err != nil {
		return nil, []string{"all of its files, because it is not known which other tables lie beside it: " + err.Error()}, nil
	}
	locations := []string{t.Location(), t.IndexLocation()}
	if metadata := metadataLocation(t.Location(), t.inner.Properties()); !strings.HasPrefix(metadata, t.Location()+"/") {
		locations = append(locations, metadata)
	}
	for _, location := range locations {
		name, ok := storage.NameOf(c.store, location)
		switch {
		case !ok || name == "":
			kept = append(kept, fmt.Sprintf("%s lies outside the lake or is the lake", location))
			continue
		case slices.ContainsFunc(tables, func(other pointer) bool { return c.liesBelow(other, t.inner.Identifier(), name) }):
			kept = append(kept, fmt.Sprintf("%s also holds another table", location))
			continue
		}
		for info, err := range c.store.List(ctx, name+"/") {
			if err != nil {
				return nil, nil, fmt.Errorf("listing %s: %w", location, err)
			}
			files = append(files, info.Name)
		}
	}
	return files, kept, nil
}

// liesBelow says whether another table's metadata lies below a name.
func (c *Catalog) liesBelow(other pointer, self table.Identifier, name string) bool {
	if slices.Equal(other.ident, self) {
		return false
	}
	metadata, err := nameOf(c.store, other.location)
	return err == nil && strings.HasPrefix(metadata, name+"/")
}
