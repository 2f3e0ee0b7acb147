package query

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/firnlog/firn/format"
	"github.com/firnlog/firn/index"
	"github.com/firnlog/firn/index/analyzer"
)

// patternPick is a pattern that is handed out.
type patternPick struct {
	id    uint64
	side  int // whose oldest and newest rows are wanted
	group *patternGroup
	count int64
	out   *Pattern // First, Last, Sample and Template are to be filled in
}

// patternEnd is the oldest or newest row of a pattern in one place, or of all.
type patternEnd struct {
	file *patternFile // nil: there is none
	row  uint32
	time int64
}

func (e patternEnd) key() sortKey {
	return sortKey{time: e.time, rank: e.file.plan.rank, ordinal: e.row}
}

// spotView is a spot of a pattern that is handed out, on its way to rows and times.
type spotView struct {
	pick int
	spot patternSpot
	ends [2]patternEnd // oldest and newest
}

// describe fills in times, samples and templates.
func (run *patternRun) describe(ctx context.Context, picks []patternPick) error {
	if run.options.CountsOnly {
		return nil
	}
	byFile := map[*patternFile][]*spotView{}
	views := make([][]*spotView, len(picks))
	for i := range picks {
		for _, spot := range run.decisive(picks[i].group, picks[i].side, nil) {
			v := &spotView{pick: i, spot: spot}
			f := &run.files[spot.file]
			byFile[f] = append(byFile[f], v)
			views[i] = append(views[i], v)
		}
	}
	if err := run.eachFile(ctx, byFile, func(ctx context.Context, f *patternFile, list []*spotView) error {
		return f.locate(ctx, list, picks)
	}); err != nil {
		return err
	}
	byFile = map[*patternFile][]*spotView{}
	for i := range picks {
		oldest, newest := views[i][0], views[i][0]
		for _, v := range views[i] {
			if v.ends[0].key().compare(oldest.ends[0].key()) < 0 {
				oldest = v
			}
			if v.ends[1].key().compare(newest.ends[1].key()) > 0 {
				newest = v
			}
		}
		out, f := picks[i].out, oldest.ends[0].file
		if f.of().scan.planner.time.Type != format.TypeInvalid {
			out.First, out.Last = patternTime(oldest.ends[0].time), patternTime(newest.ends[1].time)
		}
		byFile[f] = append(byFile[f], oldest)
	}
	if err := run.eachFile(ctx, byFile, func(ctx context.Context, f *patternFile, list []*spotView) error {
		return f.fetchSamples(ctx, list, picks)
	}); err != nil {
		return err
	}
	for i := range picks {
		picks[i].out.Template = Template(picks[i].out.Sample)
	}
	return nil
}

// eachFile does something with the views of each file, several files at once.
func (run *patternRun) eachFile(ctx context.Context, byFile map[*patternFile][]*spotView,
	do func(ctx context.Context, f *patternFile, list []*spotView) error) error {
	var files []*patternFile
	for f := range byFile {
		files = append(files, f)
	}
	slices.SortFunc(files, func(a, b *patternFile) int { return cmp.Compare(a.number, b.number) })
	if len(files) == 0 {
		return nil
	}
	return files[0].of().scan.planner.parallel(ctx, len(files), func(ctx context.Context, i int) error {
		f := files[i]
		ctx = withCounters(ctx, &f.of().reading.counts)
		return run.inSlot(ctx, func() error { return do(ctx, f, byFile[f]) })
	})
}

// locate finds the oldest and the newest row of spots of the file, and their times.
func (f *patternFile) locate(ctx context.Context, list []*spotView, picks []patternPick) error {
	var whole []*spotView
	for _, v := range list {
		if v.spot.last == wholePattern {
			whole = append(whole, v)
			continue
		}
		v.ends = [2]patternEnd{{file: f, row: v.spot.first}, {file: f, row: v.spot.last}}
	}
	if len(whole) > 0 {
		if err := f.locateWhole(ctx, whole, picks); err != nil {
			return err
		}
	}
	field := f.of().scan.planner.time
	if field.Type == format.TypeInvalid {
		return nil
	}
	var wanted []uint32
	for _, v := range list {
		wanted = append(wanted, v.ends[0].row, v.ends[1].row)
	}
	times := map[uint32]int64{}
	err := f.readRows(ctx, field, wanted, func(c *format.Column, at int32, row uint32) {
		times[row] = c.Ints[at]
		if c.Valid != nil && !c.Valid[at] {
			times[row] = math.MinInt64
		}
	})
	for _, v := range list {
		for i := range v.ends {
			v.ends[i].time = times[v.ends[i].row]
		}
	}
	return err
}

// locateWhole finds the oldest and the newest row of patterns of which all rows in the file match: with the index, or else by reading.
func (f *patternFile) locateWhole(ctx context.Context, whole []*spotView, picks []patternPick) error {
	sidecar, err := f.openIndex(ctx)
	if err != nil {
		return err
	}
	if sidecar != nil {
		column := patternColumn{file: f, index: sidecar, lock: newPlanLock()}
		var list []counted
		if column.rows(ctx).IsEmpty() {
			err = index.ErrCorrupt
		} else if err = column.load(ctx); err == nil {
			list = make([]counted, len(column.patterns))
			for row, number := range column.numbers {
				if number != index.NoPattern && err == nil {
					err = column.add(list, uint32(row))
				}
			}
		}
		if err == nil && f.useWhole(whole, picks, column.patterns, list) {
			return nil
		}
		if err := f.drop(ctx, cmp.Or(err, index.ErrCorrupt)); err != nil {
			return err
		}
	}
	return f.searchWhole(ctx, whole, picks)
}

// useWhole takes over what the index told of patterns, unless it is not what it told before.
func (f *patternFile) useWhole(whole []*spotView, picks []patternPick, patterns []index.Pattern, list []counted) bool {
	for _, v := range whole {
		number := v.spot.first
		if number >= uint32(len(list)) || patterns[number].ID != picks[v.pick].id || list[number].rows == 0 {
			return false
		}
		v.ends = [2]patternEnd{{file: f, row: list[number].first}, {file: f, row: list[number].last}}
	}
	return true
}

// searchWhole reads the texts of the file to find the oldest and the newest row of patterns: the index counted them, and broke since.
func (f *patternFile) searchWhole(ctx context.Context, whole []*spotView, picks []patternPick) error {
	found := map[uint64]*[2]patternEnd{}
	for _, v := range whole {
		found[picks[v.pick].id] = &[2]patternEnd{}
	}
	var signer analyzer.Signer
	fields := []format.Field{f.of().field}
	err := f.read(ctx, rangesOf(f.view.bounds.must), fields, false, func(b *format.Batch, hits []int32) {
		for _, i := range hits {
			text := b.Columns[0].Texts[i]
			if text == nil {
				continue
			}
			if ends := found[signer.Signature(text)]; ends != nil {
				ends[1] = patternEnd{file: f, row: b.Ordinals[i]}
				if ends[0].file == nil {
					ends[0] = ends[1]
				}
			}
		}
	})
	if err != nil {
		return err
	}
	for _, v := range whole {
		if v.ends = *found[picks[v.pick].id]; v.ends[0].file == nil {
			return fmt.Errorf("%w: the sidecar of %s counted rows of pattern %s, and the file has none: delete the sidecar and build it again",
				index.ErrCorrupt, f.plan.data.Path, PatternID(picks[v.pick].id))
		}
	}
	return nil
}

// fetchSamples reads the texts of the oldest rows.
func (f *patternFile) fetchSamples(ctx context.Context, list []*spotView, picks []patternPick) error {
	wanted, byRow := make([]uint32, len(list)), map[uint32]*Pattern{}
	for i, v := range list {
		wanted[i] = v.ends[0].row
		byRow[wanted[i]] = picks[v.pick].out
	}
	return f.readRows(ctx, f.of().field, wanted, func(c *format.Column, at int32, row uint32) {
		byRow[row].Sample = string(index.CutSample(c.Texts[at]))
	})
}

// readRows reads one field of some rows, in any order.
func (f *patternFile) readRows(ctx context.Context, field format.Field, rows []uint32, use func(c *format.Column, at int32, row uint32)) error {
	slices.Sort(rows)
	ranges := rangesOfRows(slices.Compact(rows))
	return f.read(ctx, ranges, []format.Field{field}, false, func(b *format.Batch, hits []int32) {
		for _, i := range hits {
			use(&b.Columns[0], i, b.Ordinals[i])
		}
	})
}
