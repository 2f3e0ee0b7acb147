// Package index answers, for one data file, which rows hold a token: (column, token) to a set of rows. An index lives in a sidecar,
// one Puffin file a data file, that is built while the data file is written (Builder) and opened with one ranged read (Open). The
// package knows no predicates and no tables; it answers one token at a time, with the rows that certainly hold it and those that may, and never wrongly: what it
// returns is either right or an error. index/FORMAT.md describes the sidecar byte by byte.
package index

import "errors"

// Sentinel errors of Open, Bloom and Lookup, to be tested with errors.Is. All of them, and storage.ErrNotExist, mean the same to a
// reader: this sidecar cannot prune, read the data file instead. They differ in what they tell a person.
var (
	// ErrCorrupt says that bytes of the sidecar are damaged. Delete the sidecar and let maintenance build it again.
	ErrCorrupt = errors.New("corrupt index sidecar")
	// ErrUnknownVersion says that the sidecar is whole, but of a format version or analyzer that this firn does not know.
	ErrUnknownVersion = errors.New("unknown version of index sidecar")
	// ErrForeign says that the sidecar is whole, but was built for another data file.
	ErrForeign = errors.New("index sidecar belongs to another data file")
)

// Errors of building.
var (
	// ErrInvalidOptions says that Options or table properties make no index.
	ErrInvalidOptions = errors.New("invalid index options")
	// ErrTooLarge says that a data file has more distinct token bytes or postings than one sidecar can hold (4 GiB of either).
	ErrTooLarge = errors.New("index too large for one sidecar")
	// ErrRowOrder says that texts of one column were not told in ascending row order, or that rows lie behind the end of the file.
	ErrRowOrder = errors.New("rows told to the index builder are out of order")
)

// Identity ties a sidecar to its data file.
type Identity struct {
	DataFile string // base name of the data file, without folders
	Rows     uint32 // number of rows in the data file
}
