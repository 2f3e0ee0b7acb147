package faultstore

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/firnlog/firn/storage"
)

// kept returns the size that a truncated object seems to have.
func (f *Fault) kept(size int64) int64 {
	return max(0, min(size-1, int64(float64(size)*f.Keep)))
}

// flip inverts one bit of p.
func (f *Fault) flip(op Op, p []byte) {
	if len(p) == 0 {
		return
	}
	random := rand.New(rand.NewPCG(f.Seed, uint64(op.Number)))
	bit := random.IntN(8 * len(p))
	p[bit/8] ^= 1 << (bit % 8)
}

// ReadAt implements storage.Store.
func (s *Store) ReadAt(ctx context.Context, name string, p []byte, off int64) error {
	op, f := s.begin(ReadAt, name)
	return s.run(ctx, op, f, func() error {
		if f != nil && f.Mode == Truncate {
			info, err := s.inner.Stat(ctx, name)
			if err != nil {
				return err
			}
			if size := f.kept(info.Size); off+int64(len(p)) > size {
				return fmt.Errorf("ReadAt %q, truncated from %d to %d bytes: %w", name, info.Size, size, storage.ErrRange)
			}
		}
		err := s.inner.ReadAt(ctx, name, p, off)
		if err == nil && f != nil && f.Mode == FlipBit {
			f.flip(op, p)
		}
		return err
	})
}

// ReadTail implements storage.Store.
func (s *Store) ReadTail(ctx context.Context, name string, p []byte) (n int, size int64, err error) {
	op, f := s.begin(ReadTail, name)
	err = s.run(ctx, op, f, func() error {
		if f != nil && f.Mode == Truncate {
			n, size, err = s.truncatedTail(ctx, f, name, p)
			return err
		}
		n, size, err = s.inner.ReadTail(ctx, name, p)
		if err == nil && f != nil && f.Mode == FlipBit {
			f.flip(op, p[:n])
		}
		return err
	})
	if err != nil {
		return 0, 0, err
	}
	return n, size, nil
}

// truncatedTail reads the tail of what is left of an object.
func (s *Store) truncatedTail(ctx context.Context, f *Fault, name string, p []byte) (int, int64, error) {
	info, err := s.inner.Stat(ctx, name)
	if err != nil {
		return 0, 0, err
	}
	size := f.kept(info.Size)
	n := min(int64(len(p)), size)
	if err := s.inner.ReadAt(ctx, name, p[:n], size-n); err != nil {
		return 0, 0, err
	}
	return int(n), size, nil
}
