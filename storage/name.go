package storage

import (
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// TempPrefix starts the last element of names that stores use for objects being written. No object may use it, so that
// listings can leave such files out.
const TempPrefix = ".firn-tmp-"

// IsTemp reports whether a name is that of an object being written.
func IsTemp(name string) bool { return strings.HasPrefix(path.Base(name), TempPrefix) }

// CheckName returns an error wrapping ErrInvalidName unless name can name an object in every store: not empty, relative,
// slash-separated, clean (no empty, "." or ".." element), valid UTF-8, without NUL, and with no element that starts with TempPrefix.
func CheckName(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("%w: the name is empty", ErrInvalidName)
	case name == ".", !fs.ValidPath(name):
		return fmt.Errorf("%w: %q is not a clean, relative, slash-separated path in UTF-8", ErrInvalidName, name)
	case strings.IndexByte(name, 0) >= 0:
		return fmt.Errorf("%w: %q holds a NUL byte", ErrInvalidName, name)
	case strings.HasPrefix(name, TempPrefix), strings.Contains(name, "/"+TempPrefix):
		return fmt.Errorf("%w: %q uses the prefix %q, which is reserved for objects being written", ErrInvalidName, name, TempPrefix)
	}
	return nil
}

// NameOf is the inverse of Store.URI: it returns the name under which s holds the object (or, for a directory-like location, the
// prefix without a trailing slash), and whether uri lies in s at all. The root itself is the name "".
//
// For a store whose root is a file: URI every spelling that other writers use is understood: file:///dir/x, file:/dir/x,
// file://localhost/dir/x and the plain path /dir/x; and s3a:// and s3n:// for s3://. Nothing is percent-decoded, because Iceberg writers record paths as they are.
func NameOf(s Store, uri string) (string, bool) {
	root := s.URI("")
	if rootPath, isLocal := localPath(root); isLocal {
		p, ok := localPath(uri)
		if !ok {
			return "", false
		}
		root, uri = strings.TrimSuffix(rootPath, "/"), strings.TrimSuffix(p, "/")
	}
	if strings.HasPrefix(root, "s3://") {
		uri = s3Scheme(uri)
	}
	if uri == root {
		return "", true
	}
	name, ok := strings.CutPrefix(uri, root+"/")
	if !ok || CheckName(name) != nil {
		return "", false
	}
	return name, true
}

// s3Scheme replaces Hadoop's names for S3, which engines on Hadoop write into metadata.
func s3Scheme(uri string) string {
	for _, scheme := range []string{"s3a://", "s3n://"} {
		if rest, ok := strings.CutPrefix(uri, scheme); ok {
			return "s3://" + rest
		}
	}
	return uri
}

// localPath returns the clean absolute path that a file: URI or a plain path denotes.
func localPath(uri string) (string, bool) {
	p := uri
	if rest, isURI := strings.CutPrefix(uri, "file:"); isURI {
		p = rest
		if authorityAndPath, has := strings.CutPrefix(rest, "//"); has {
			p = strings.TrimPrefix(authorityAndPath, "localhost")
			if p == "" {
				p = "/" // the URI of the root directory, less its trailing slash
			}
		}
	}
	if !strings.HasPrefix(p, "/") {
		return "", false
	}
	return path.Clean(p), true
}
