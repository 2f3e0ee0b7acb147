package cache

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// readVector fills the parts, one after the other, from off on, with one system call.
func readVector(f *os.File, off int64, parts ...[]byte) error {
	vector, want := make([][]byte, 0, 3), 0
	for _, p := range parts {
		if len(p) > 0 {
			vector, want = append(vector, p), want+len(p)
		}
	}
	for {
		n, err := unix.Preadv2(int(f.Fd()), vector, off, 0)
		runtime.KeepAlive(f)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.ENOSYS), errors.Is(err, unix.EOPNOTSUPP), err == nil && n > 0 && n < want:
			return readParts(f, off, parts...)
		case err != nil:
			return err
		case n == 0:
			return fmt.Errorf("%w: it was cut short", errDamaged)
		}
		return nil
	}
}

// lockFile locks an open file for this process unless another one has it. Closing the file, or the end of the process, unlocks it.
func lockFile(f *os.File) (bool, error) {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) || errors.Is(err, unix.EINTR) {
		return false, nil
	}
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOLCK) {
		return true, nil // a file system without locks: bounds are kept less exactly
	}
	return err == nil, err
}

// freeSpace returns what unprivileged users may still write to a directory's file system, and its size.
func freeSpace(dir string) (free, size int64, err error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, 0, err
	}
	return int64(st.Bavail) * st.Bsize, int64(st.Blocks) * st.Bsize, nil
}
