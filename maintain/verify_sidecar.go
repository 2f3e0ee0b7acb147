package maintain

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"

	"github.com/firnlog/firn/format"
	"github.com/firnlog/firn/index"
	"github.com/firnlog/firn/storage"
)

// sidecarCheck builds the sidecar again while the data passes by, with the options that the stored one was built with, and compares the two.
type sidecarCheck struct {
	uri, name string
	builder   *index.Builder // nil: there is nothing to compare
	columns   map[int]bool   // field ids that the builder wants to see
}

// open opens the stored sidecar and prepares the comparison. What is wrong with the sidecar is recorded.
func (s *sidecarCheck) open(ctx context.Context, c *fileCheck) error {
	var err error
	if s.uri, err = c.sidecarURI(c.data); err != nil {
		return err
	}
	if s.name, err = c.layout.name(s.uri); err != nil {
		c.problem(SidecarMissing, "", "%v", err)
		return nil
	}
	sidecar, err := index.Open(ctx, c.store, s.name, identity(c.data, c.file.Rows()))
	if kind, detail, absent := judgeOpen(err, wantsIndex(c.wanted)); absent {
		return nil
	} else if kind != "" {
		s.problem(c, kind, detail)
		return nil
	}
	if err != nil {
		return s.unread(ctx, c, err)
	}
	opts := sidecar.Options()
	if column := lacking(opts, c.wanted); column != "" {
		s.problem(c, SidecarOutdated, fmt.Sprintf("the table asks for an index on column %s that the sidecar lacks", column))
	}
	builder, err := index.NewBuilder(opts)
	if err != nil {
		s.problem(c, SidecarContent, fmt.Sprintf("its options cannot be used to build it again: %v", err))
		return nil
	}
	s.builder, s.columns = builder, map[int]bool{}
	for _, column := range opts.Columns {
		s.columns[column.FieldID] = true
	}
	for _, value := range opts.Values {
		s.columns[value.FieldID] = true
	}
	return nil
}

// judgeOpen turns an error of index.Open into a kind of mismatch. absent: there is no sidecar, and none is wanted.
func judgeOpen(err error, wanted bool) (kind Kind, detail string, absent bool) {
	switch {
	case err == nil:
		return "", "", false
	case errors.Is(err, storage.ErrNotExist):
		return SidecarMissing, "there is no sidecar, and the table asks for an index", !wanted
	case errors.Is(err, index.ErrForeign):
		return SidecarForeign, err.Error(), false
	case errors.Is(err, index.ErrUnknownVersion):
		return SidecarVersion, err.Error(), false
	case errors.Is(err, index.ErrCorrupt):
		return SidecarDamaged, err.Error(), false
	}
	return "", "", false
}

// unread records that the storage failed to read the sidecar; the data file is checked all the same.
func (s *sidecarCheck) unread(ctx context.Context, c *fileCheck, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	s.problem(c, SidecarUnread, err.Error())
	return nil
}

func (s *sidecarCheck) problem(c *fileCheck, kind Kind, detail string) {
	c.rec.problem(Problem{Kind: kind, File: s.uri, Detail: detail})
}

// add takes the next rows of the data file.
func (s *sidecarCheck) add(b *format.Batch) {
	if s.builder == nil {
		return
	}
	for i := range b.Columns {
		if s.columns[b.Columns[i].Field.ID] {
			observe(s.builder, &b.Columns[i], b.Ordinals)
		}
	}
}

// finish compares the sidecar that the data gives with the stored one, byte by byte.
func (s *sidecarCheck) finish(ctx context.Context, c *fileCheck) error {
	if s.builder == nil {
		return nil
	}
	built := &digest{Hash: sha256.New()}
	s.builder.SetDataFileSize(c.data.Size)
	if _, err := s.builder.Finish(built, identity(c.data, c.file.Rows())); err != nil {
		s.problem(c, SidecarContent, fmt.Sprintf("it cannot be built again: %v", err))
		return nil
	}
	s.builder = nil
	stored := &digest{Hash: sha256.New()}
	if err := readAll(ctx, c.store, s.name, stored); err != nil {
		return s.unread(ctx, c, err)
	}
	c.rec.count(func(r *Report) { r.Sidecars++; r.IndexBytes += stored.size })
	if stored.size == built.size && string(stored.Sum(nil)) == string(built.Sum(nil)) {
		return nil
	}
	if _, damaged := index.Inspect(ctx, c.store, s.name, 0); errors.Is(damaged, index.ErrCorrupt) {
		s.problem(c, SidecarDamaged, damaged.Error())
		return nil
	}
	s.problem(c, SidecarContent, fmt.Sprintf("the sidecar has %d bytes; built again from the data it has %d, and they differ", stored.size, built.size))
	return nil
}

// digest is a hash that counts.
type digest struct {
	hash.Hash
	size int64
}

func (d *digest) Write(p []byte) (int, error) {
	d.size += int64(len(p))
	return d.Hash.Write(p)
}

// readAll passes the bytes of an object to w, piece by piece.
func readAll(ctx context.Context, store storage.Store, name string, w *digest) error {
	info, err := store.Stat(ctx, name)
	if err != nil {
		return err
	}
	const piece = 1 << 20
	buf := make([]byte, min(piece, info.Size))
	for off := int64(0); off < info.Size; off += piece {
		p := buf[:min(piece, info.Size-off)]
		if err := store.ReadAt(ctx, name, p, off); err != nil {
			return err
		}
		if _, err := w.Write(p); err != nil {
			return err
		}
	}
	return nil
}
