package cache

import (
	"errors"
	"fmt"
	"log/slog"
	"path"
	"strings"
	"time"
)

// Options say where a cache is and how large it may grow. The zero value of everything but Dir works.
type Options struct {
	// Dir is where the blocks are kept; it is made when the first one is. Several processes of one user may share it. The cache touches
	// nothing in it but its own folder "firn-cache-1". Files are readable by their owner only.
	Dir string
	// Bytes bounds what the block files occupy, rounded up to 4 KiB each. 0 means 10 GiB. The bounds hold for all processes that share
	// the directory together, exceeded for a moment by at most 1/64, and what is in flight, for each of them. Files that a process
	// has open when another one evicts them (at most OpenFiles) occupy the disk until it closes them.
	Bytes int64
	// Objects bounds the number of block files. 0 means 100 000.
	Objects int
	// MemoryBytes bounds the memory tier. 0 means 64 MiB; negative: none.
	MemoryBytes int64
	// BlockBytes is the size of a block, a power of two of at least 4 KiB. 0 means 256 KiB. A cache filled with another size is a miss.
	BlockBytes int
	// OpenFiles bounds the block files that are kept open. 0 means 1024.
	OpenFiles int
	// MinFree is how much of the file system is left to others: below that nothing is added, and old blocks go. 0 means 1 GiB or 5 % of the file
	// system, whichever is less; negative: no reserve.
	MinFree int64
	// WriteThrough is up to which size objects are cached while they are written through this store. 0 means none.
	WriteThrough int64
	// Cacheable says whether an object of that name may be cached at all. The default is DefaultCacheable.
	Cacheable func(name string) bool
	// Revalidate says whether the object of that name may be replaced by another one, so that what is cached has to be compared with the store
	// from time to time. The default is DefaultRevalidate.
	Revalidate func(name string) bool
	// RevalidateAfter is how long such an object is served without asking. 0 means one hour.
	RevalidateAfter time.Duration
	// Logger is told when the directory cannot be used, and when it can again. nil: nobody is.
	Logger *slog.Logger
	// Now is the clock. nil means time.Now.
	Now func() time.Time
}

// Defaults of Options.
const (
	defaultBytes       = 10 << 30
	defaultObjects     = 100_000
	defaultMemory      = 64 << 20
	defaultBlock       = 256 << 10
	defaultOpenFiles   = 1024
	defaultRevalidate  = time.Hour
	largestBlock       = 16 << 20
	defaultMinFree     = 1 << 30
	defaultMinFreePart = 20 // a twentieth of the file system
)

// complete fills in the defaults.
func (o *Options) complete() error {
	if o.Dir == "" {
		return errors.New("no directory is given")
	}
	setDefault(&o.Bytes, defaultBytes)
	setDefault(&o.Objects, defaultObjects)
	setDefault(&o.MemoryBytes, defaultMemory)
	setDefault(&o.BlockBytes, defaultBlock)
	setDefault(&o.OpenFiles, defaultOpenFiles)
	setDefault(&o.RevalidateAfter, defaultRevalidate)
	if o.Bytes < 0 || o.Objects < 0 || o.OpenFiles < 0 {
		return fmt.Errorf("negative bounds: %d bytes, %d objects, %d open files", o.Bytes, o.Objects, o.OpenFiles)
	}
	if b := o.BlockBytes; b < chunkBytes || b > largestBlock || b&(b-1) != 0 {
		return fmt.Errorf("blocks of %d bytes: they must have a power of two from %d to %d", b, chunkBytes, largestBlock)
	}
	o.MemoryBytes = max(o.MemoryBytes, 0)
	if o.Cacheable == nil {
		o.Cacheable = DefaultCacheable
	}
	if o.Revalidate == nil {
		o.Revalidate = DefaultRevalidate
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now //nolint:forbidigo // the default of an injected clock
	}
	return nil
}

// setDefault gives an unset option its default.
func setDefault[T ~int | ~int64](option *T, value T) {
	if *option == 0 {
		*option = value
	}
}

// sidecarSuffix ends the names of index sidecars.
const sidecarSuffix = ".puffin"

// DefaultRevalidate is true for index sidecars (.puffin): a repair replaces them under the name that they had.
func DefaultRevalidate(name string) bool { return strings.HasSuffix(name, sidecarSuffix) }

// DefaultCacheable is true for index sidecars and for names whose last element holds a UUID, as those of all data and metadata files
// that Iceberg's writers make. A name without one may be given to other bytes later (version-hint.text, catalog.db, v3.metadata.json,
// a Hive table's 000000_0), and is not cached.
func DefaultCacheable(name string) bool {
	return DefaultRevalidate(name) || hasUUID(path.Base(name))
}

// hasUUID finds a UUID in a file name: 32 hexadecimal digits, with the hyphens where they belong or without any (as Trino writes them).
func hasUUID(base string) bool {
	const digits = 32
	run, start := 0, 0 // hexadecimal digits seen in a row, hyphens left out, and where they began
	for i := 0; i < len(base); i++ {
		switch c := base[i]; {
		case c >= '0' && c <= '9', c >= 'a' && c <= 'f', c >= 'A' && c <= 'F':
			if run == 0 {
				start = i
			}
			if run++; run >= digits && isUUID(base[:i+1], start) {
				return true
			}
		case c == '-':
		default:
			run = 0
		}
	}
	return false
}

// isUUID tells whether the text ends with a UUID. All after start are hexadecimal digits and hyphens.
func isUUID(text string, start int) bool {
	const plain, hyphened = 32, 36
	run := text[start:]
	if n := len(run); n >= plain && !strings.Contains(run[n-plain:], "-") {
		return true
	}
	if len(run) < hyphened {
		return false
	}
	run = run[len(run)-hyphened:]
	for i := range len(run) {
		if hyphen := i == 8 || i == 13 || i == 18 || i == 23; hyphen != (run[i] == '-') {
			return false
		}
	}
	return true
}
