package query

import (
	"context"
	"math"
	"sync"

	"github.com/firnlog/firn/index"
	"github.com/firnlog/firn/index/expression"
	"github.com/firnlog/firn/index/valueindex"
)

// valueSpec is a value index that the table's properties declare.
type valueSpec struct {
	index.ValueSpec
	expression expression.Expression
}

// valueAsk is a question to a value index on behalf of a leaf.
type valueAsk struct {
	leaf     *leaf
	spec     valueSpec
	question index.ValueQuestion
	ranges   bool // asks for ranges, not for points
	bare     bool // only whether there is a value is of use

	rows index.ValueRows // the answer
	ok   bool            // there is one
	err  error
}

// pruneByValues asks the value indexes of the file's sidecar. It says whether candidates are left. Of errors it returns only those of the context.
func (p *planner) pruneByValues(ctx context.Context, f *filePlan) (bool, error) {
	asks := p.valueAsks(f)
	if len(asks) == 0 || f.sidecarName == "" || f.problem != "" {
		return true, nil
	}
	leaves := make([]*leaf, len(asks))
	for i, a := range asks {
		leaves[i] = a.leaf
	}
	asked, err := p.withSidecar(ctx, f, leaves, func(sidecar *index.Sidecar) error { return p.askValues(ctx, f, sidecar, asks) })
	if err != nil || !asked {
		return err == nil && f.skipped == "", err
	}
	return f.conclude(stageValueIndex, p.bound.root), nil
}

// valueAsks returns the questions to value indexes that may help with the open leaves.
func (p *planner) valueAsks(f *filePlan) (asks []*valueAsk) {
	if len(p.values) == 0 {
		return nil
	}
	for _, l := range f.activeLeaves(p.bound.root, nil) {
		before := len(asks)
		for _, spec := range p.values {
			if spec.FieldID == l.field.ID {
				asks = append(asks, l.valueAsks(spec)...)
			}
		}
		if p.request.NoIndex && len(asks) > before {
			asks = asks[:before]
			f.note(l.id, noteNoIndex, "")
		}
	}
	return asks
}

// valueAsks returns the questions to one value index that may help with the leaf.
func (l *leaf) valueAsks(spec valueSpec) []*valueAsk {
	e := spec.expression
	element := l.inMap && l.path.IsZero()
	switch e.Function {
	case expression.Column:
		if l.inMap {
			return nil
		}
	case expression.JSONExtract:
		if l.path.String() != e.Path.String() {
			return nil
		}
	case expression.ElementAt:
		if !element || string(l.key) != e.Key {
			return nil
		}
	case expression.MapValues:
		if !element || l.kind == leafNull {
			return nil
		}
	case expression.MapKeys:
		if !element || !spec.Bloom {
			return nil
		}
		q := index.ValueQuestion{FieldID: spec.FieldID, Expression: e, Class: valueindex.Text, Points: []valueindex.Hash{valueindex.HashText(l.key)}}
		return []*valueAsk{{leaf: l, spec: spec, question: q}}
	}
	q := index.ValueQuestion{FieldID: spec.FieldID, Expression: e}
	points, ranges := l.valueQuestion(&q)
	var asks []*valueAsk
	if spec.Bloom && points {
		asks = append(asks, &valueAsk{leaf: l, spec: spec, question: q})
	}
	if spec.Range && ranges {
		asks = append(asks, &valueAsk{leaf: l, spec: spec, question: q, ranges: true})
	}
	if len(asks) == 0 {
		asks = append(asks, &valueAsk{leaf: l, spec: spec, question: q, ranges: spec.Range, bare: true})
	}
	return asks
}

// valueQuestion fills in what the leaf asks for, and says whether points and ranges can answer it.
func (l *leaf) valueQuestion(q *index.ValueQuestion) (points, ranges bool) {
	switch l.class {
	case classWhole:
		q.Class = valueindex.Whole
	case classFloat:
		q.Class = valueindex.Float
	default:
		q.Class = valueindex.Text
	}
	switch {
	case l.kind == leafIn && len(l.texts)+len(l.wholes)+len(l.floats) <= maxLookups:
		return true, l.pointQuestion(q)
	case l.kind != leafRange:
	case l.class == classWhole:
		q.Ranges = []valueindex.Bounds{{Low: valueindex.KeyOfInt(l.whole.low), High: valueindex.KeyOfInt(l.whole.high)}}
		return false, true
	case l.class == classFloat, l.class == classNumber:
		q.Ranges = l.float.keys()
		return false, true
	}
	return false, false
}

// pointQuestion fills in the values of a leafIn, and says whether all of them are numbers.
func (l *leaf) pointQuestion(q *index.ValueQuestion) (numbers bool) {
	at := func(key uint64) { q.Ranges = append(q.Ranges, valueindex.Bounds{Low: key, High: key}) }
	numbers = true
	for text := range l.texts {
		q.Points = append(q.Points, valueindex.HashText([]byte(text)))
		f, ok := expression.Number([]byte(text))
		numbers = numbers && ok
		at(valueindex.KeyOfFloat(f))
	}
	for n := range l.wholes {
		q.Points = append(q.Points, valueindex.HashInt(n))
		at(valueindex.KeyOfInt(n))
	}
	for _, f := range l.floats {
		q.Points = append(q.Points, valueindex.HashFloat(f))
		at(valueindex.KeyOfFloat(f))
	}
	return numbers
}

// keys returns the order keys of the range: one run of them, or none if no number is in it.
func (r floatRange) keys() []valueindex.Bounds {
	if math.IsNaN(r.low) || math.IsNaN(r.high) {
		return nil
	}
	b := valueindex.Bounds{Low: valueindex.KeyOfFloat(r.low), High: valueindex.KeyOfFloat(r.high)}
	if r.openLow {
		b.Low++ // keys of numbers are neither 0 nor the greatest
	}
	if r.openHigh {
		b.High--
	}
	if b.Low > b.High {
		return nil
	}
	return []valueindex.Bounds{b}
}

// valueShare is which part of the data that is left to be read a value index may cost.
const valueShare = 8

// askValues asks the value indexes that are worth their bytes, those of a remote store side by side, and refines what is known of the leaves.
func (p *planner) askValues(ctx context.Context, f *filePlan, sidecar *index.Sidecar, asks []*valueAsk) error {
	left := f.data.Size * int64(f.bounds.may.Cardinality()) / int64(f.rows) / valueShare
	var group sync.WaitGroup
	for _, a := range asks {
		bloom, ranges := sidecar.HasValues(a.spec.FieldID, a.spec.expression)
		if a.ranges && !ranges || !a.ranges && !bloom {
			f.note(a.leaf.id, noteValueMissing, a.spec.Expression)
			continue
		}
		cost, rangeCost := sidecar.ValueCost(a.spec.FieldID, a.spec.expression)
		if a.ranges {
			cost = rangeCost
		}
		if cost > left {
			f.note(a.leaf.id, noteValueCost, a.spec.Expression)
			continue
		}
		if p.engine.remote() {
			group.Go(func() { a.ask(ctx, sidecar) })
		} else {
			a.ask(ctx, sidecar)
		}
	}
	group.Wait()
	for _, a := range asks {
		if a.err != nil {
			return a.err
		}
		if a.ok {
			a.refine(f)
		}
	}
	return nil
}

func (a *valueAsk) ask(ctx context.Context, sidecar *index.Sidecar) {
	if a.ranges {
		a.rows, a.ok, a.err = sidecar.AskRanges(ctx, a.question)
	} else {
		a.rows, a.ok, a.err = sidecar.AskPoints(ctx, a.question)
	}
}

// refine adds what the answer tells about the leaf. All rows that are not in May, or not in Some, have no value for which the leaf is true.
func (a *valueAsk) refine(f *filePlan) {
	b := unknown(f.rows)
	isKeys := a.spec.expression.Function == expression.MapKeys
	switch {
	case a.leaf.kind == leafNull && isKeys:
		b.must = a.rows.May.Not() // rows without the key
	case a.leaf.kind == leafNull:
		b.must, b.may = a.rows.Some.Not(), a.rows.Every.Not()
	case a.bare:
		b.may = a.rows.Some
	default:
		b.may = a.rows.May
	}
	before := f.known[a.leaf.id]
	f.refine(a.leaf, b)
	after := f.known[a.leaf.id]
	kind := noteValueNothing
	switch {
	case after.may.IsEmpty():
		kind = noteValueAbsent
	case after.may.Cardinality() < before.may.Cardinality() || after.must.Cardinality() > before.must.Cardinality():
		kind = noteValueNarrow
	}
	f.note(a.leaf.id, kind, a.spec.Expression)
}
