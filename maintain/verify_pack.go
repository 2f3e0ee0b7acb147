package maintain

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/firnlog/firn/catalog"
	"github.com/firnlog/firn/index"
)

// packs checks the bloom packs that searches use, and returns their names.
func (v *verifier) packs(ctx context.Context, files []catalog.DataFile) ([]string, error) {
	plan, err := newPackPlanner(ctx, v.layout, IndexOptions{})
	if err != nil || plan == nil {
		return nil, err
	}
	byFile := make(map[index.PackFile]catalog.DataFile, len(files))
	for _, f := range files {
		if file, err := v.packFile(f); err == nil {
			byFile[file] = f
		}
	}
	var names []string
	for _, parts := range plan.latest {
		for _, part := range parts {
			names = append(names, part.Name)
			if err := v.pack(ctx, part.Name, byFile); err != nil {
				return nil, err
			}
		}
	}
	return names, nil
}

// pack reads a whole pack and compares what it has of the snapshot's files with their sidecars.
func (v *verifier) pack(ctx context.Context, name string, byFile map[index.PackFile]catalog.DataFile) error {
	pack, err := index.OpenPack(ctx, v.store, name, 0)
	if err == nil {
		_, err = pack.Describe(ctx)
	}
	if err != nil {
		return v.packProblem(name, err)
	}
	var compared atomic.Int64
	for _, c := range v.wanted.Columns {
		filters, err := pack.Load(ctx, c.FieldID)
		if err != nil {
			return v.packProblem(name, err)
		}
		if filters == nil {
			continue
		}
		group, ctx := errgroup.WithContext(ctx)
		group.SetLimit(v.opts.Parallelism)
		for number, file := range pack.Files() {
			data, live := byFile[file]
			if !live {
				continue
			}
			group.Go(func() error {
				filter, ok, err := v.filterOf(ctx, data, pack, c.FieldID)
				if err != nil || !ok {
					return err
				}
				compared.Add(1)
				if same, comparable := filters.Same(number, filter); comparable && !same {
					v.rec.problem(Problem{Kind: PackContent, File: v.store.URI(name), Column: c.Column, Detail: fmt.Sprintf(
						"it has another filter for %s than the file's sidecar", data.Path)})
				}
				return nil
			})
		}
		if err := group.Wait(); err != nil {
			return err
		}
	}
	v.rec.count(func(r *Report) {
		r.Packs++
		r.PackFiles += int64(len(pack.Files()))
	})
	v.opts.Logger.DebugContext(ctx, "verified bloom pack", "pack", name, "files", len(pack.Files()), "filters", compared.Load())
	return nil
}

// filterOf returns the filter that a file's sidecar has. ok is false if the two cannot be compared: the sidecar is missing or damaged, which is told elsewhere,
// or was built again with other options since.
func (v *verifier) filterOf(ctx context.Context, f catalog.DataFile, pack *index.Pack, fieldID int) (filter *index.Filter, ok bool, err error) {
	sidecar, err := v.openSidecar(ctx, f)
	if err == nil {
		filter, err = sidecar.Filter(ctx, fieldID)
	}
	if err != nil {
		return nil, false, ctx.Err()
	}
	return filter, filter != nil && sidecar.Options().Analyzer == pack.Analyzer(), nil
}

// packProblem records what is wrong with a pack. Errors of the storage are errors.
func (v *verifier) packProblem(name string, err error) error {
	kind := PackDamaged
	switch {
	case errors.Is(err, index.ErrUnknownVersion):
		kind = PackVersion
	case !errors.Is(err, index.ErrCorrupt):
		return err
	}
	v.rec.problem(Problem{Kind: kind, File: v.store.URI(name), Detail: err.Error()})
	return nil
}
