//go:build !linux

package local

import (
	"errors"
	"os"
)

// errNoExclusiveRename says that objects cannot be published here.
var errNoExclusiveRename = errors.New("this system has no exclusive rename either; keep the lake on a file system with hard links")

// renameExclusive renames a file unless the new name is taken, where the system can do it.
func renameExclusive(*os.Root, string, string) error { return errNoExclusiveRename }
