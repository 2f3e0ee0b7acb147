package webhdfs

import (
	"context"
	"errors"
	"net/http"
	"path"

	"github.com/firnlog/firn/storage"
)

// ECPolicy returns the name of the erasure coding policy of an object or directory, such as RS-6-3-1024k, or "" if it is replicated. Of
// a name that does not exist yet, it is that which a new object would have: the policy of the closest directory above it. The name "" is
// the root of the store.
func (s *Store) ECPolicy(ctx context.Context, name string) (string, error) {
	if name != "" {
		if err := s.check(ctx, "look up the erasure coding policy of", name); err != nil {
			return "", err
		}
	}
	for at := s.path(name); ; at = path.Dir(at) {
		f, err := s.status(ctx, at)
		switch {
		case err == nil && !f.ECBit && f.ECPolicy == "":
			return "", nil
		case err == nil && f.ECPolicy == "":
			return "unknown", nil // servers before 3.1 tell only that there is one
		case err == nil && f.ECPolicy == "REPLICATION":
			return "", nil
		case err == nil:
			return f.ECPolicy, nil
		case !errors.Is(err, storage.ErrNotExist) || at == "/":
			return "", s.failed("look up the erasure coding policy of", name, err)
		}
	}
}

// IsErasureCoded tells whether an object or directory has an erasure coding policy; see ECPolicy.
func (s *Store) IsErasureCoded(ctx context.Context, name string) (bool, error) {
	policy, err := s.ECPolicy(ctx, name)
	return policy != "", err
}

// SetECPolicy makes a directory, if it does not exist, and gives it an erasure coding policy that is enabled on the cluster. Objects
// that exist already keep theirs. The name "" is the root of the store. It takes the rights of the directory's owner.
func (s *Store) SetECPolicy(ctx context.Context, dir, policy string) error {
	if dir != "" {
		if err := s.check(ctx, "set the erasure coding policy of", dir); err != nil {
			return err
		}
	}
	err := s.query(ctx, request{method: http.MethodPut, op: "MKDIRS", path: s.path(dir)}, nil)
	if err == nil {
		err = s.query(ctx, request{method: http.MethodPut, op: "SETECPOLICY", path: s.path(dir), params: []string{"ecpolicy", policy}}, nil)
	}
	if err != nil {
		return s.failed("set the erasure coding policy "+policy+" of", dir, err)
	}
	return nil
}
