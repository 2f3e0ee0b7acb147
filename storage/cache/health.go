package cache

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"
)

const (
	// tryAgain is how long nothing is written to a directory after it failed.
	tryAgain = 30 * time.Second
	// spaceEvery and spaceBytes are after how long, and how many bytes written, the free space is looked at again.
	spaceEvery = time.Second
	spaceBytes = 16 << 20
)

// errNearlyFull says that the file system has less free space than Options.MinFree.
var errNearlyFull = errors.New("the disk is nearly full")

// health knows whether the directory can be written to.
type health struct {
	mu      sync.Mutex
	sick    bool      // a warning was logged, and no write has succeeded since
	until   time.Time // nothing is written before that
	looked  time.Time // at the free space
	written int64     // since then
}

// trouble takes note that an operation on the directory failed: it is counted, the first failure is logged, and nothing is written for a while.
func (s *Store) trouble(what string, err error) {
	s.counters.errors.Add(1)
	h := &s.health
	h.mu.Lock()
	first := !h.sick
	h.sick = true
	h.until = s.now().Add(tryAgain)
	h.mu.Unlock()
	if first {
		s.log.Warn("the disk cache cannot be used as it should; reads go on from the store itself. Check the space, the owner and the mode of its directory",
			"dir", s.disk.dir, "failed", what, "error", err)
	}
}

// recovered takes note that a write succeeded.
func (s *Store) recovered(bytes int64) {
	h := &s.health
	h.mu.Lock()
	again := h.sick
	h.sick = false
	h.written += bytes
	h.mu.Unlock()
	if again {
		s.log.Info("the disk cache works again", "dir", s.disk.dir)
	}
}

// mayWrite tells whether a block may be written now.
func (s *Store) mayWrite() bool {
	now := s.now()
	h := &s.health
	h.mu.Lock()
	if now.Before(h.until) && h.until.Sub(now) <= tryAgain { // a clock that was set back does not stop the cache
		h.mu.Unlock()
		return false
	}
	look := s.opts.MinFree >= 0 && (now.Sub(h.looked) >= spaceEvery || now.Before(h.looked) || h.written >= spaceBytes)
	if look {
		h.looked, h.written = now, 0
	}
	h.mu.Unlock()
	if !look {
		return true
	}
	lacking := s.lackingSpace()
	if lacking > 0 {
		s.sweep(lacking)
		lacking = s.lackingSpace()
	}
	if lacking > 0 {
		s.trouble("keep a reserve of free space", fmt.Errorf("%w: %d bytes less are free than Options.MinFree asks for", errNearlyFull, lacking))
		return false
	}
	return true
}

// lackingSpace returns by how much the free space is below the reserve; nothing if it cannot be told.
func (s *Store) lackingSpace() int64 {
	if s.opts.MinFree < 0 {
		return 0
	}
	dir := s.disk.root
	free, size, err := freeSpace(dir)
	for isAbsent(err) && filepath.Dir(dir) != dir { // the directory is still to be made
		dir = filepath.Dir(dir)
		free, size, err = freeSpace(dir)
	}
	if err != nil {
		return 0
	}
	reserve := s.opts.MinFree
	if reserve == 0 {
		reserve = min(defaultMinFree, size/defaultMinFreePart)
	}
	return reserve - free
}
