package query

import (
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"strconv"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/firnlog/firn/catalog"
	"github.com/firnlog/firn/format"
	"github.com/firnlog/firn/index"
	"github.com/firnlog/firn/index/expression"
	"github.com/firnlog/firn/storage"
)

// valueBloomProperty, followed by a column's name, is the table property that asks writers for Parquet's own bloom filter.
const valueBloomProperty = "write.parquet.bloom-filter-enabled.column."

// tableState is what planning derives from the metadata of one state of a table, whatever the request is. It is made once for each state, kept in the
// engine's cache and shared by all plans. Nothing of it is changed, but that files are listed when they are first needed. It is safe for concurrent use.
type tableState struct {
	key        cacheKey
	schema     *format.Schema
	arrow      *arrow.Schema // of schema
	schemaKey  string        // tells schemas apart as keys of the cache
	time       format.Field  // _timestamp; of type TypeInvalid if the table has none
	partitions []catalog.PartitionField
	indexed    map[int]bool // fields that sidecars may know
	blooms     map[int]bool // fields that Parquet's bloom filters may know
	values     []valueSpec  // value indexes that sidecars may have

	location      string // of the table, a URI
	indexLocation string // of its sidecars, a URI
	packs         string // where bloom packs lie, in the store; meant only if hasPacks
	hasPacks      bool   // the table has packs, and so many files that asking them can pay

	listing planLock // held while files are listed
	files   *fileList
	size    atomic.Int64 // of files, in bytes
}

// state returns what planning needs to know of a table, from the cache if it is there. Two tables of one name, of which one was dropped, differ in their uuid.
func (e *Engine) state(ctx context.Context, t *catalog.Table) (*tableState, error) {
	key := cacheKey{kind: kindPlan, name: t.MetadataLocation(), variant: t.UUID()}
	v, err := e.cache.get(ctx, key, &countersOf(ctx).plans, nil, func() (sized, error) { return e.newTableState(t, key) })
	if err != nil {
		return nil, err
	}
	return v.(*tableState), nil
}

func (e *Engine) newTableState(t *catalog.Table, key cacheKey) (*tableState, error) {
	schema, err := format.SchemaFromArrow(t.Schema())
	if err != nil {
		return nil, fmt.Errorf("schema of table %s: %w", t.Name(), err)
	}
	s := &tableState{
		key: key, schema: schema, arrow: schema.Arrow(), partitions: t.PartitionFields(), indexed: map[int]bool{}, blooms: map[int]bool{},
		location: t.Location(), indexLocation: t.IndexLocation(), listing: newPlanLock(),
	}
	if f, ok := schema.Lookup(timestampColumn); ok && f.Type == format.TypeTimestamp {
		s.time = f
	}
	fields := sha256.New()
	for _, f := range schema.Fields {
		fmt.Fprintf(fields, "%d %d %d %d %q;", f.ID, f.Type, f.KeyID, f.ValueID, f.Name)
	}
	s.schemaKey = string(fields.Sum(nil))
	properties := t.Properties()
	e.readProperties(s, t.Name(), properties)
	e.readValueProperties(s, t.Name(), properties)
	on, err := strconv.ParseBool(properties[index.PropertyPacks])
	if s.hasPacks = err == nil && on; s.hasPacks {
		s.packs, s.hasPacks = storage.NameOf(e.store, s.indexLocation)
	}
	if n, err := strconv.Atoi(t.SnapshotSummary()["total-data-files"]); err == nil && n < fewestPackFiles {
		s.hasPacks = false
	}
	return s, nil
}

// readProperties finds out which columns are worth asking indexes for.
func (e *Engine) readProperties(s *tableState, table string, properties map[string]string) {
	texts := map[string]int{}
	for _, f := range s.schema.Fields {
		if f.Type == format.TypeString {
			texts[f.Name] = f.ID
		}
		if on, err := strconv.ParseBool(properties[valueBloomProperty+f.Name]); err == nil && on {
			s.blooms[f.ID] = true
		}
	}
	options, err := index.OptionsFromProperties(properties, texts)
	if err != nil {
		e.log.Warn("the index properties of the table cannot be read; sidecars are asked about every column", "table", table, "error", err)
		for id := range maps.Values(texts) {
			s.indexed[id] = true
		}
	}
	for _, c := range options.Columns {
		if c.Bitmap || c.Bloom {
			s.indexed[c.FieldID] = true
		}
	}
}

// readValueProperties finds out which value indexes sidecars may have.
func (e *Engine) readValueProperties(s *tableState, table string, properties map[string]string) {
	columns := map[string]index.ValueColumn{}
	for _, f := range s.schema.Fields {
		columns[f.Name] = index.ValueColumnOf(f.ID, f.Type.String())
	}
	specs, err := index.ValuesFromProperties(properties, columns)
	if err != nil {
		e.log.Warn("the value index properties of the table cannot be read; no value index is asked", "table", table, "error", err)
	}
	for _, spec := range specs {
		if x, err := expression.Parse(spec.Expression); err == nil {
			s.values = append(s.values, valueSpec{spec, x})
		}
	}
}

// list returns the data files of the state, listing them if that was not done before.
func (e *Engine) list(ctx context.Context, s *tableState, t *catalog.Table) (*fileList, error) {
	if err := s.listing.lock(ctx); err != nil {
		return nil, err
	}
	defer s.listing.Unlock()
	if s.files == nil {
		data, err := t.Files(ctx)
		if err != nil {
			return nil, err
		}
		files, err := newFileList(e.store, s, data)
		if err != nil {
			return nil, err
		}
		s.files = files
		s.size.Store(files.sizeInMemory())
		e.cache.remeasure(s.key)
	}
	return s.files, nil
}

// SizeInMemory returns about how many bytes the state holds. It grows when files are listed, and a little with each column whose bounds are first asked for.
func (s *tableState) SizeInMemory() int64 {
	const fixed, eachField = 2000, 500
	return fixed + eachField*int64(len(s.schema.Fields)) + s.size.Load()
}
