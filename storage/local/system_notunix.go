//go:build !unix

package local

import (
	"errors"
	"io/fs"
	"syscall"
)

// unlinked reports whether an open file may have lost its name. It cannot be told here, so files are opened anew each time.
func unlinked(fs.FileInfo) bool { return true }

// isFull reports whether an error says that the disk is full.
func isFull(err error) bool {
	const errorDiskFull = syscall.Errno(112) // ERROR_DISK_FULL
	return errors.Is(err, errorDiskFull) || errors.Is(err, syscall.ENOSPC)
}
