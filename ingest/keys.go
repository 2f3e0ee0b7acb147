package ingest

import "github.com/firnlog/firn/catalog"

// A keyEntry is an interned field name with everything that is known about it.
type keyEntry struct {
	name  []byte // valid UTF-8
	id    uint32
	plain bool  // stands in JSON text as it is
	attrs bool  // is the name of the attrs column
	rank  uint8 // of the claim on column top
	top   int32 // column that the name claims at the top level, or -1
	inner int32 // column that the name claims inside attrs, or -1

	next   *keyEntry // the name that followed this one last time: logs repeat their shape
	row    uint64    // row in which the name last got an entry in attrs …
	attrAt int32     // … and where
}

// exact says that the name is the name of a column, not an alias.
func (e *keyEntry) exact() bool { return e.top >= 0 && e.rank == 0 }

// Bounds of a keyTable: a table that reached them is replaced together with its buffer.
const (
	maxKeys     = 1 << 17
	keyOverhead = 200 // bytes an entry takes beside its name, roughly
	keySlab     = 64
)

// A keyTable interns field names. Rows in a buffer refer to names by their number.
type keyTable struct {
	plan    *plan
	entries map[string]*keyEntry
	slab    []keyEntry
	names   [][]byte // by id
	bytes   int64
	root    keyEntry // stands before the first name of a row
}

func newKeyTable(p *plan) *keyTable {
	return &keyTable{plan: p, entries: map[string]*keyEntry{}, bytes: 1024}
}

// full says that the table has become so large that it should not be kept for the next buffer.
func (t *keyTable) full() bool { return len(t.names) >= maxKeys }

// get returns the entry of a name, which it copies if it is new.
func (t *keyTable) get(name []byte) *keyEntry {
	if e, ok := t.entries[string(name)]; ok {
		return e
	}
	return t.add(string(name))
}

func (t *keyTable) add(name string) *keyEntry {
	if len(t.slab) == 0 {
		t.slab = make([]keyEntry, keySlab)
	}
	e := &t.slab[0]
	t.slab = t.slab[1:]
	*e = keyEntry{
		name:  []byte(name),
		id:    uint32(len(t.names)),
		plain: isPlain(name),
		attrs: name == catalog.ColumnAttrs && t.plan.attrs >= 0,
		top:   -1,
		inner: int32(t.plan.inAttrs(name)),
	}
	if to, ok := t.plan.top[name]; ok {
		e.top, e.rank = int32(to.column), to.rank
	}
	t.names = append(t.names, e.name)
	t.entries[name] = e
	t.bytes += int64(2*len(name)) + keyOverhead
	return e
}
