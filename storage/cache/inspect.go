package cache

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Report says what a cache directory holds.
type Report struct {
	Dir         string
	Objects     int   // of which at least one block is there
	Blocks      int   // block files, intact as far as was looked
	Bytes       int64 // what they occupy, rounded up to 4 KiB each
	Payload     int64 // bytes of objects in them
	Stores      []StoreReport
	Oldest      time.Time // when the block that was not read for longest was last read, to about a minute; zero without blocks
	Newest      time.Time // when a block was last read or written
	Damaged     int       // files that are no intact blocks
	Unfinished  int       // files being written, or left by processes that were killed
	BoundBytes  int64     // Options.Bytes of the process that wrote last; 0 if that is not known
	BoundBlocks int64     // Options.Objects of that process
	Counted     time.Time // when a process last counted the files; zero if none did
}

// StoreReport says what a cache directory holds of one store.
type StoreReport struct {
	URI     string // of the store's root
	Objects int
	Blocks  int
	Bytes   int64 // what the files occupy
	Payload int64 // bytes of objects
}

// InspectOptions say how thoroughly Inspect looks.
type InspectOptions struct {
	// Verify reads every block and checks its checksums. Otherwise only the headers are read and checked.
	Verify bool
}

// Inspect reads a cache directory without a store and without changing anything, while others may use it. A directory that does
// not exist, or holds no cache, is an error that is fs.ErrNotExist.
func Inspect(ctx context.Context, dir string, opts InspectOptions) (Report, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return Report{}, fmt.Errorf("inspect cache %q: %w", dir, err)
	}
	d := newDisk(abs)
	if _, err := os.Stat(d.root); err != nil {
		return Report{}, fmt.Errorf("inspect cache %s: there is no cache in that directory: %w", abs, err)
	}
	st, err := d.readState()
	if err != nil {
		return Report{}, fmt.Errorf("inspect cache %s: %w", abs, err)
	}
	r := Report{Dir: abs, BoundBytes: st.boundBytes, BoundBlocks: st.boundFiles}
	if st.counted != 0 {
		r.Counted = time.Unix(0, st.counted)
	}
	all, err := d.scan()
	if err != nil {
		return Report{}, fmt.Errorf("inspect cache %s: %w", abs, err)
	}
	names, err := readNames(filepath.Join(d.root, tempFolder))
	if err != nil {
		return Report{}, fmt.Errorf("inspect cache %s: %w", abs, err)
	}
	r.Unfinished = len(names)
	c := collector{report: &r, stores: map[string]*StoreReport{}, objects: map[string]bool{}}
	for _, e := range all {
		if err := ctx.Err(); err != nil {
			return Report{}, fmt.Errorf("inspect cache %s: %w", abs, err)
		}
		if err := c.add(d, e, opts.Verify); err != nil {
			return Report{}, fmt.Errorf("inspect cache %s: %w", abs, err)
		}
	}
	c.finish()
	return r, nil
}

// collector adds up blocks.
type collector struct {
	report  *Report
	stores  map[string]*StoreReport
	objects map[string]bool
}

// add looks at one block file.
func (c *collector) add(d *disk, e entry, verify bool) error {
	h, err := d.inspectBlock(e.path, verify)
	switch {
	case errors.Is(err, fs.ErrNotExist): // evicted meanwhile
		return nil
	case errors.Is(err, errDamaged):
		c.report.Damaged++
		return nil
	case err != nil:
		return err
	}
	r := c.report
	store := c.stores[h.store]
	if store == nil {
		store = &StoreReport{URI: h.store}
		c.stores[h.store] = store
	}
	if key := objectID(h.store, h.name, h.blockBytes); !c.objects[key] {
		c.objects[key] = true
		store.Objects++
		r.Objects++
	}
	store.Blocks, r.Blocks = store.Blocks+1, r.Blocks+1
	store.Bytes, r.Bytes = store.Bytes+e.size, r.Bytes+e.size
	store.Payload, r.Payload = store.Payload+int64(h.length), r.Payload+int64(h.length)
	used := time.Unix(0, e.used)
	if r.Oldest.IsZero() || used.Before(r.Oldest) {
		r.Oldest = used
	}
	if used.After(r.Newest) {
		r.Newest = used
	}
	return nil
}

// finish sorts the stores.
func (c *collector) finish() {
	for _, store := range c.stores {
		c.report.Stores = append(c.report.Stores, *store)
	}
	slices.SortFunc(c.report.Stores, func(a, b StoreReport) int { return cmp.Compare(a.URI, b.URI) })
}

// inspectBlock reads the header of a block file, and its payload if that is to be verified. A file in a place where it would not be looked
// for is damaged.
func (d *disk) inspectBlock(path string, verify bool) (h *header, err error) {
	file, _, err := d.open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.file.Close()) }()
	h = file.header
	place := d.path(objectID(h.store, h.name, h.blockBytes), suffix(h.number, h.flags&flagLast != 0))
	if place != path {
		return nil, fmt.Errorf("%w: it is in the place of another", errDamaged)
	}
	if verify {
		err = d.read(file, make([]byte, h.length), h.start)
	}
	return h, err
}
