package cache

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	// sweepLock is locked by the process that evicts.
	sweepLock = "sweep.lock"
	// sweepPart: a sweep goes on until the cache is this part of its bound below it, so that it is not needed again at once.
	sweepPart = 16
	// staleTemp is how old a file in tempFolder is when nobody writes to it any more.
	staleTemp = 15 * time.Minute
)

// entry is a block file in the directory.
type entry struct {
	path string
	used int64 // when it was last read, as far as is known; nanoseconds since 1970
	size int64 // what it occupies
}

// scan returns all block files. Folders and files that disappear meanwhile are left out, and so is what is not the cache's.
func (d *disk) scan() ([]entry, error) {
	folders, err := readNames(d.root)
	if err != nil {
		return nil, err
	}
	var all []entry
	for _, folder := range folders {
		if !isHex(folder, 2) {
			continue
		}
		dir := filepath.Join(d.root, folder)
		names, err := readNames(dir)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			if !isBlockName(name) {
				continue
			}
			path := dir + string(filepath.Separator) + name
			info, err := os.Lstat(path)
			if isAbsent(err) {
				continue
			}
			if err != nil {
				return nil, err
			}
			all = append(all, entry{path: path, used: info.ModTime().UnixNano(), size: occupied(info.Size())})
		}
	}
	return all, nil
}

// isHex tells whether text is n lower-case hexadecimal digits.
func isHex(text string, n int) bool {
	return len(text) == n && strings.Trim(text, "0123456789abcdef") == ""
}

// isBlockName tells whether a block's file has that name in its folder.
func isBlockName(name string) bool {
	const digits = 30
	id, suffix, ok := strings.Cut(name, ".")
	return ok && isHex(id, digits) && suffix != "" && (suffix == lastSuffix || strings.Trim(suffix, "0123456789") == "")
}

// sweep counts the block files and evicts those that were not read for longest until the bounds hold, and until extra bytes more are free. One
// process sweeps at a time; the others go on.
func (s *Store) sweep(extra int64) {
	if !s.usage.sweeping.TryLock() {
		return
	}
	defer s.usage.sweeping.Unlock()
	lock, err := os.OpenFile(filepath.Join(s.disk.root, sweepLock), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		if !isAbsent(err) {
			s.trouble("lock it for a sweep", err)
		}
		return
	}
	locked, err := lockFile(lock)
	if err == nil && locked {
		err = s.sweepLocked(extra)
	}
	if err = errors.Join(err, lock.Close()); err != nil {
		s.trouble("sweep it", err)
	}
}

// sweepLocked does the sweep.
func (s *Store) sweepLocked(extra int64) error {
	bytes, files := s.usage.take() // they are counted now
	all, err := s.disk.scan()
	if err != nil {
		s.usage.add(bytes, files)
		return err
	}
	var total int64
	for _, e := range all {
		total += e.size
	}
	left, err := s.evict(all, total, s.keepBytes(total, extra), s.keepFiles(int64(len(all))))
	done, stateErr := s.disk.updateState(true, func(state) state {
		return state{
			bytes: left.bytes, files: left.files, counted: s.now().UnixNano(), boundBytes: s.opts.Bytes, boundFiles: int64(s.opts.Objects),
		}
	})
	if !done && stateErr == nil {
		s.usage.add(left.bytes-total, left.files-int64(len(all)))
	}
	return errors.Join(err, stateErr, s.disk.removeStale(s.now()))
}

// keepBytes returns how many of the bytes in the directory may stay.
func (s *Store) keepBytes(total, extra int64) int64 {
	keep := total
	if total > s.opts.Bytes {
		keep = s.opts.Bytes - s.opts.Bytes/sweepPart
	}
	if extra > 0 {
		keep = min(keep, total-extra-total/sweepPart)
	}
	return keep
}

// keepFiles returns how many of the files in the directory may stay.
func (s *Store) keepFiles(total int64) int64 {
	bound := int64(s.opts.Objects)
	if total <= bound {
		return total
	}
	return bound - bound/sweepPart
}

// evict deletes files until no more than keepBytes and keepFiles are left, and returns what is.
func (s *Store) evict(all []entry, total, keepBytes, keepFiles int64) (left state, err error) {
	left = state{bytes: total, files: int64(len(all))}
	if left.bytes <= keepBytes && left.files <= keepFiles {
		return left, nil
	}
	known := s.blocksByPath()
	for i := range all {
		all[i].used = max(all[i].used, known[all[i].path])
	}
	slices.SortFunc(all, func(a, b entry) int { return cmp.Compare(a.used, b.used) })
	gone := map[string]bool{}
	for _, e := range all {
		if left.bytes <= keepBytes && left.files <= keepFiles {
			break
		}
		if removeErr := os.Remove(e.path); removeErr != nil && !isAbsent(removeErr) {
			err = removeErr
			continue
		}
		left.bytes, left.files = left.bytes-e.size, left.files-1
		s.counters.evicted.Add(1)
		s.counters.evictedBytes.Add(e.size)
		gone[e.path] = true
	}
	return left, errors.Join(err, s.closeFiles(gone))
}

// blocksByPath returns when the blocks that are known here were last read.
func (s *Store) blocksByPath() map[string]int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := map[string]int64{}
	for _, l := range []*lru{&s.memory, &s.handles} {
		for at := l.blocks.Front(); at != nil; at = at.Next() {
			if b, ok := at.Value.(*block); ok && b.path != "" {
				known[b.path] = b.used
			}
		}
	}
	return known
}

// closeFiles closes open files that were evicted, so that their space is free.
func (s *Store) closeFiles(gone map[string]bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	for at := s.handles.blocks.Front(); at != nil; {
		b, ok := at.Value.(*block)
		at = at.Next()
		if ok && gone[b.path] {
			err = errors.Join(err, s.detachLocked(b))
		}
	}
	return err
}

// removeStale deletes what killed processes have left in tempFolder.
func (d *disk) removeStale(now time.Time) error {
	dir := filepath.Join(d.root, tempFolder)
	names, err := readNames(dir)
	for _, name := range names {
		path := filepath.Join(dir, name)
		info, statErr := os.Lstat(path)
		if statErr != nil || now.Sub(info.ModTime()) < staleTemp {
			continue
		}
		if removeErr := os.Remove(path); removeErr != nil && !errors.Is(removeErr, fs.ErrNotExist) {
			err = errors.Join(err, removeErr)
		}
	}
	return err
}
