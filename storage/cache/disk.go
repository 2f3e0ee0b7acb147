package cache

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// folder is what a cache uses of its directory. The number is that of the layout.
	folder = "firn-cache-1"
	// tempFolder in it holds blocks that are being written.
	tempFolder = "tmp"
	// lastSuffix is the suffix of an object's last block, by which its size is found; the others have their number.
	lastSuffix = "last"
	// fileUnit is what file systems give out space in.
	fileUnit = 4 << 10
)

// disk is the directory of a cache. Its methods are safe for concurrent use, also by several processes.
type disk struct {
	dir  string // Options.Dir
	root string // the folder in it
	// writeFile writes the parts to a new file. Replaced by tests that need a disk that fails.
	writeFile func(f *os.File, parts ...[]byte) error
	edges     sync.Pool // of *[2 * chunkBytes]byte
}

func newDisk(dir string) *disk {
	d := &disk{dir: dir, root: filepath.Join(dir, folder), writeFile: writeParts}
	d.edges.New = func() any { return new([2 * chunkBytes]byte) }
	return d
}

// writeParts writes the parts one after the other.
func writeParts(f *os.File, parts ...[]byte) error {
	for _, p := range parts {
		if _, err := f.Write(p); err != nil {
			return err
		}
	}
	return nil
}

// suffix returns the suffix of a block's file.
func suffix(number int64, last bool) string {
	if last {
		return lastSuffix
	}
	return strconv.FormatInt(number, 10)
}

// path returns where a block of an object is.
func (d *disk) path(id, suffix string) string {
	return d.root + string(filepath.Separator) + id[:2] + string(filepath.Separator) + id[2:] + "." + suffix
}

// occupied returns what a file of that size occupies.
func occupied(size int64) int64 { return (size + fileUnit - 1) / fileUnit * fileUnit }

// open opens a block file and verifies its header, not its payload. Errors are fs.ErrNotExist, errDamaged, or the system's.
func (d *disk) open(path string) (*handle, fs.FileInfo, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%w: it is no file", errDamaged)
	}
	var h *header
	if err == nil {
		h, err = d.readHeader(f, info.Size())
	}
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return &handle{file: f, header: h, path: path}, info, nil
}

// readHeader reads the header at the end of a file.
func (d *disk) readHeader(f io.ReaderAt, size int64) (*header, error) {
	edges, _ := d.edges.Get().(*[2 * chunkBytes]byte)
	defer d.edges.Put(edges)
	tail := edges[:min(size, headerGuess)]
	if err := readFull(f, tail, size-int64(len(tail))); err != nil {
		return nil, err
	}
	n, err := headerLength(tail, size)
	if err != nil {
		return nil, err
	}
	if n > len(tail) {
		tail = make([]byte, n)
		if err := readFull(f, tail, size-int64(n)); err != nil {
			return nil, err
		}
	}
	return decodeHeader(tail[len(tail)-n:])
}

// readFull fills p. A file that ends before that is damaged.
func readFull(f io.ReaderAt, p []byte, off int64) error {
	n, err := f.ReadAt(p, off)
	switch {
	case n == len(p):
		return nil
	case err == nil || errors.Is(err, io.EOF):
		return fmt.Errorf("%w: it was cut short", errDamaged)
	}
	return err
}

// read fills p with the bytes from lo of the block, which the file covers, and verifies every chunk that they touch. It takes one system
// call. Errors are errDamaged, or the system's; p is then of no use.
func (d *disk) read(h *handle, p []byte, lo int) error {
	if len(p) == 0 {
		return nil
	}
	first := (lo - h.header.start) / chunkBytes
	head := (lo - h.header.start) % chunkBytes // bytes of the first chunk that are not wanted
	end := head + len(p)                       // counted from the first chunk, as are those below
	whole := min(chunks(end)*chunkBytes, h.header.length-first*chunkBytes)
	if head == 0 && whole == end {
		if err := readFull(h.file, p, int64(first)*chunkBytes); err != nil {
			return err
		}
		return verify(p, h.header.sums[first:])
	}
	edges, _ := d.edges.Get().(*[2 * chunkBytes]byte)
	defer d.edges.Put(edges)
	if whole <= len(edges) {
		span := edges[:whole]
		if err := readFull(h.file, span, int64(first)*chunkBytes); err != nil {
			return err
		}
		copy(p, span[head:])
		return verify(span, h.header.sums[first:])
	}
	return d.readEdges(h, p, edges, first, head, whole)
}

// readEdges reads the whole chunks that p covers into p, and those at its two ends, of which it has a part only, by way of edges.
func (d *disk) readEdges(h *handle, p []byte, edges *[2 * chunkBytes]byte, first, head, whole int) error {
	end := head + len(p)
	tail := 0 // bytes wanted of a last chunk that is not wanted in full
	if whole > end {
		tail = end % chunkBytes
	}
	var front, back []byte
	middle := p[:len(p)-tail]
	if head > 0 {
		front = edges[:chunkBytes]
		middle = middle[chunkBytes-head:]
	}
	if tail > 0 {
		back = edges[chunkBytes:][:whole-(end-tail)]
	}
	if err := readVector(h.file, int64(first)*chunkBytes, front, middle, back); err != nil {
		return err
	}
	sums := h.header.sums[first:]
	for _, part := range [][]byte{front, middle, back} {
		if err := verify(part, sums); err != nil {
			return err
		}
		sums = sums[chunks(len(part)):]
	}
	if head > 0 {
		copy(p, front[head:])
	}
	copy(p[len(p)-tail:], back)
	return nil
}

// verify compares chunks with their checksums.
func verify(p []byte, sums []uint32) error {
	for i := 0; len(p) > 0; i++ {
		n := min(chunkBytes, len(p))
		if crc32.Checksum(p[:n], castagnoli) != sums[i] {
			return fmt.Errorf("%w: a checksum is wrong", errDamaged)
		}
		p = p[n:]
	}
	return nil
}

// write publishes a block file, in place of one that is there, and returns what it occupies. Nothing is flushed to the disk: a file that a power
// failure damaged has wrong checksums.
func (d *disk) write(path string, payload, header []byte, now time.Time) (int64, error) {
	temp, err := d.temp()
	if err != nil {
		return 0, err
	}
	err = errors.Join(d.writeFile(temp, payload, header), temp.Close())
	if err == nil {
		err = os.Chtimes(temp.Name(), now, now)
	}
	if err == nil {
		err = os.Rename(temp.Name(), path)
		if errors.Is(err, fs.ErrNotExist) { // the first block in this folder
			if err = os.MkdirAll(filepath.Dir(path), 0o700); err == nil {
				err = os.Rename(temp.Name(), path)
			}
		}
	}
	if err != nil {
		if rmErr := os.Remove(temp.Name()); rmErr != nil && !errors.Is(rmErr, fs.ErrNotExist) {
			err = errors.Join(err, rmErr)
		}
		return 0, err
	}
	return occupied(int64(len(payload) + len(header))), nil
}

// temp makes a file to be written. The folders are made if they are missing, be it that somebody deleted them.
func (d *disk) temp() (*os.File, error) {
	dir := filepath.Join(d.root, tempFolder)
	f, err := os.CreateTemp(dir, "block-*")
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.MkdirAll(dir, 0o700); err == nil {
			f, err = os.CreateTemp(dir, "block-*")
		}
	}
	return f, err
}

// remove deletes a file and returns what it occupied; nothing if it was gone.
func (d *disk) remove(path string) (int64, error) {
	info, err := os.Lstat(path)
	if err == nil {
		err = os.Remove(path)
	}
	if isAbsent(err) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return occupied(info.Size()), nil
}

// removeObject deletes all blocks of an object and returns how many there were and what they occupied.
func (d *disk) removeObject(id string) (files, bytes int64, err error) {
	dir := filepath.Join(d.root, id[:2])
	names, err := readNames(dir)
	if err != nil {
		return 0, 0, err
	}
	for _, name := range names {
		if !strings.HasPrefix(name, id[2:]+".") {
			continue
		}
		n, removeErr := d.remove(filepath.Join(dir, name))
		if removeErr != nil {
			err = errors.Join(err, removeErr)
		} else if n > 0 {
			files, bytes = files+1, bytes+n
		}
	}
	return files, bytes, err
}

// readNames returns the names in a folder, in no order; none if there is no such folder.
func readNames(dir string) ([]string, error) {
	f, err := os.Open(dir)
	if isAbsent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	names, err := f.Readdirnames(-1)
	return names, errors.Join(err, f.Close())
}

// isAbsent reports whether an error says that there is no such file.
func isAbsent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

// readParts fills the parts, one after the other, from off on.
func readParts(f *os.File, off int64, parts ...[]byte) error {
	for _, p := range parts {
		if err := readFull(f, p, off); err != nil {
			return err
		}
		off += int64(len(p))
	}
	return nil
}
