package maintain

import (
	"context"
	"errors"
	"strconv"

	"github.com/firnlog/firn/index"
	"github.com/firnlog/firn/storage"
)

// applyPacks builds the planned bloom packs, one after the other, and lets searches look for them. What cannot be built stops nothing else. The only
// errors are those of the context.
func (p *IndexPlan) applyPacks(ctx context.Context, r *IndexResult) error {
	built := p.GoodPacks
	for _, item := range p.Packs {
		b, err := p.layout.buildPack(ctx, item, p.opts)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, storage.ErrExist):
			r.Skipped++
			built++
		case err != nil:
			r.fail("bloom pack of partition "+item.Partition, err)
		case b.part > 0:
			r.Packs++
			built++
			r.PackFiles += int64(b.files)
			r.PackBytes += b.bytes
			p.opts.Logger.DebugContext(ctx, "built bloom pack", "partition", item.Partition, "files", b.files, "of", item.Files, "parts", b.part, "bytes", b.bytes)
		}
	}
	on, _ := strconv.ParseBool(p.layout.table.Properties()[index.PropertyPacks])
	if built == 0 || on {
		return nil
	}
	if _, err := p.layout.table.SetProperties(ctx, map[string]string{index.PropertyPacks: "true"}); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		r.fail("table property "+index.PropertyPacks, err)
	}
	return nil
}

// applyDrops removes what nothing needs any more. The only errors are those of the context.
func (p *IndexPlan) applyDrops(ctx context.Context, r *IndexResult) error {
	for _, item := range p.Drops {
		err := p.layout.drop(ctx, item)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			r.fail(item.Object, err)
		default:
			r.Dropped++
			r.DroppedBytes += item.Bytes
		}
	}
	return nil
}

func (r *IndexResult) fail(what string, err error) {
	r.Failed++
	r.Problems = append(r.Problems, IndexFailed{what, err.Error()})
}
