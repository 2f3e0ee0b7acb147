package local

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// renameExclusive renames a file unless the new name is taken (then the error is fs.ErrExist). Both lie in one directory.
func renameExclusive(root *os.Root, from, to string) error {
	dir, err := root.Open(filepath.Dir(from))
	if err != nil {
		return err
	}
	fd := int(dir.Fd())
	err = unix.Renameat2(fd, filepath.Base(from), fd, filepath.Base(to), unix.RENAME_NOREPLACE)
	return errors.Join(err, dir.Close())
}
