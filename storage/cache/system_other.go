//go:build !linux

package cache

import (
	"errors"
	"os"
)

// readVector fills the parts, one after the other, from off on.
func readVector(f *os.File, off int64, parts ...[]byte) error { return readParts(f, off, parts...) }

// lockFile locks nothing here: several processes may look for old blocks at once, which costs time and harms nothing, and what they say of the
// space they use may overwrite each other until one looks again.
func lockFile(*os.File) (bool, error) { return true, nil }

// freeSpace is not known here.
func freeSpace(string) (free, size int64, err error) { return 0, 0, errors.ErrUnsupported }
