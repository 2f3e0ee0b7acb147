package storage

import (
	"context"
	"fmt"
	"slices"
)

// readAllGuess is the size up to which ReadAll needs one request.
const readAllGuess = 64 << 10

// ReadAll returns the whole object. It takes one request for objects up to 64 KiB and two for larger ones. The object is held in
// memory, so this is for small ones: sidecar heads, checkpoints, test data.
func ReadAll(ctx context.Context, s Store, name string) ([]byte, error) {
	tail := make([]byte, readAllGuess)
	n, size, err := s.ReadTail(ctx, name, tail)
	if err != nil {
		return nil, fmt.Errorf("read object %q: %w", name, err)
	}
	tail = tail[:n]
	if int64(n) == size {
		return slices.Clip(tail), nil
	}
	all := make([]byte, size)
	head := size - int64(n)
	if err := s.ReadAt(ctx, name, all[:head], 0); err != nil {
		return nil, fmt.Errorf("read object %q: %w", name, err)
	}
	copy(all[head:], tail)
	return all, nil
}

// WriteObject creates an object that holds data. It returns ErrExist if the name is taken, and leaves nothing behind on error.
func WriteObject(ctx context.Context, s Store, name string, data []byte) (err error) {
	w, err := s.Create(ctx, name)
	if err != nil {
		return fmt.Errorf("write object %q: %w", name, err)
	}
	defer func() {
		if abortErr := w.Abort(); err == nil {
			err = abortErr
		}
	}()
	if _, err := w.Write(data); err != nil {
		return fmt.Errorf("write object %q: %w", name, err)
	}
	if err := w.Commit(ctx); err != nil {
		return fmt.Errorf("write object %q: %w", name, err)
	}
	return nil
}
