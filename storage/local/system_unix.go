//go:build unix

package local

import (
	"errors"
	"io/fs"
	"syscall"
)

// unlinked reports whether an open file has no name any more: it was deleted, or another took its name.
func unlinked(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return !ok || stat.Nlink == 0
}

// isFull reports whether an error says that the disk is full or the quota used up.
func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}
