package query

import (
	"github.com/firnlog/firn/format"
)

// metadataTally is what became of the files of a snapshot by the table's metadata alone.
type metadataTally struct {
	files  int
	rows   int64
	empty  int // files without rows
	stages [stageFileBounds + 1]stageTally
}

// stageTally is what a stage did.
type stageTally struct {
	Files, Skipped int
	RowsLeft       int64
}

// pruneByMetadata runs the stages that need nothing but the table's metadata, and returns plans of the files that they leave.
func (p *planner) pruneByMetadata(list *fileList) (left []*filePlan, tally metadataTally, err error) {
	tally = metadataTally{files: len(list.files), rows: list.rows}
	columns := p.columnsOf(list)
	if p.time.Type != format.TypeInvalid {
		p.times = list.column(p.time).byAll
	}
	keep := make([]int32, 0, len(list.files))
	byPartition, bounds := &tally.stages[stagePartition], &tally.stages[stageFileBounds]
	for i := range list.files {
		rows := list.files[i].rows
		if rows == 0 {
			tally.empty++
			continue
		}
		if len(p.partitions) > 0 {
			byPartition.Files++
			if !mayMatch(p.bound.root, columns, i, false) {
				byPartition.Skipped++
				continue
			}
		}
		byPartition.RowsLeft += int64(rows)
		bounds.Files++
		if !mayMatch(p.bound.root, columns, i, true) {
			bounds.Skipped++
			continue
		}
		bounds.RowsLeft += int64(rows)
		keep = append(keep, int32(i))
	}
	left, err = p.admitAll(list, columns, keep)
	return left, tally, err
}

// columnsOf returns the bounds of the field of each leaf; nil for a leaf about which the metadata tells nothing.
func (p *planner) columnsOf(list *fileList) []*column {
	columns := make([]*column, len(p.bound.leaves))
	for i, l := range p.bound.leaves {
		if !l.inMap && l.kind != leafPlace {
			columns[i] = list.column(l.field)
		}
	}
	return columns
}

// verdictOn says what the metadata of a file means for a leaf: with the bounds of its columns, or by its partition alone.
func verdictOn(l *leaf, columns []*column, i int, bounds bool) verdict {
	c := columns[l.id]
	switch {
	case c == nil:
		return verdict{some: true}
	case bounds:
		return c.byAll.judge(l, i)
	case c.byPartition == nil:
		return verdict{some: true}
	}
	return c.byPartition.judge(l, i)
}

// mayMatch is the second half of verdictOf. It looks at no more leaves than it needs.
func mayMatch(x node, columns []*column, i int, bounds bool) bool {
	switch x := x.(type) {
	case constNode:
		return bool(x)
	case *leaf:
		return verdictOn(x, columns, i, bounds).some
	case andNode:
		for _, kid := range x {
			if !mayMatch(kid, columns, i, bounds) {
				return false
			}
		}
		return true
	case orNode:
		for _, kid := range x {
			if mayMatch(kid, columns, i, bounds) {
				return true
			}
		}
		return false
	}
	return verdictOf(x, func(l *leaf) verdict { return verdictOn(l, columns, i, bounds) }).some
}

// admitAll makes plans of files. What they have in common is made at once, because there may be thousands.
func (p *planner) admitAll(list *fileList, columns []*column, keep []int32) ([]*filePlan, error) {
	n := len(p.bound.leaves)
	plans, left := make([]filePlan, len(keep)), make([]*filePlan, len(keep))
	known, counted, choices := make([]bounds, n*len(keep)), make([]int64, n*len(keep)), make([]choice, n*len(keep))
	for k, position := range keep {
		f := &plans[k]
		left[k] = f
		f.listedFile, f.position, f.mu = &list.files[position], int(position), newPlanLock()
		if err := p.admit(f); err != nil {
			return nil, err
		}
		from, to := k*n, (k+1)*n
		f.known, f.counted, f.choices = known[from:to:to], counted[from:to:to], choices[from:to:to]
		f.forgetStages()
		p.startRows(f, columns)
		f.oldest, f.newest = p.ages(p.times, f.position)
	}
	return left, nil
}

// startRows turns the verdicts of the metadata into sets of rows.
func (p *planner) startRows(f *filePlan, columns []*column) {
	open := unknown(f.rows)
	for i, l := range p.bound.leaves {
		f.counted[i] = notRun
		switch v := verdictOn(l, columns, f.position, true); {
		case v.all:
			f.known[i] = exactRows(open.may)
		case !v.some:
			f.known[i] = exactRows(open.must)
		case l.kind == leafPlace:
			f.known[i] = exactRows(f.rowsBeside(l))
			continue
		default:
			f.known[i] = open
			continue
		}
		f.note(i, noteMetadata, "")
	}
	if f.bounds = boundsOf(p.bound.root, f.rows, f.ofLeaf); f.bounds.may.IsEmpty() {
		f.skipped = SkipFileBounds // because of where its rows stand among those of the same time
	}
}
