package query

import (
	"context"
	"fmt"

	"github.com/firnlog/firn/format"
)

// Analyze runs the search as Rows does, hands out nothing, and explains what it took beside what was expected.
func (s *Scan) Analyze(ctx context.Context) (Explanation, error) {
	s.Explanation() // estimates before anything is read
	for _, err := range s.Rows(ctx) {
		if err != nil {
			return Explanation{}, err
		}
	}
	return s.Explanation(), nil
}

// estimateOnce returns the estimate that was made when it was first asked for, if that was before the first reading.
func (s *Scan) estimateOnce(read bool, e *Explanation) *Estimate {
	s.mu.Lock()
	known := s.estimate
	s.mu.Unlock()
	if known != nil || read {
		return known
	}
	made := s.makeEstimate()
	for _, st := range e.Stages {
		made.Stages = append(made.Stages, st.RowsLeft)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.estimate == nil {
		s.estimate = made
	}
	return s.estimate
}

// makeEstimate adds up the files in the order in which they are read, until a limit is reached.
func (s *Scan) makeEstimate() *Estimate {
	p, e := s.planner, &Estimate{}
	limit := int64(p.request.Limit)
	for _, f := range s.files {
		if limit > 0 && e.Rows >= limit {
			break
		}
		f.mu.Lock()
		if f.skipped == "" {
			e.Files++
			e.Rows += int64(f.bounds.may.Cardinality())
			e.Certain += int64(f.bounds.must.Cardinality())
			e.Bytes += p.expectedBytes(f, s.fields)
		}
		f.mu.Unlock()
	}
	return e
}

// expectedBytes is about what is read of a data file's pages for its candidates: the columns that are checked, and those that are handed out as if all
// candidates matched. The caller holds f.mu.
func (p *planner) expectedBytes(f *filePlan, fields []format.Field) int64 {
	open := f.bounds.may.AndNot(f.bounds.must)
	left := residual(p.bound.root, open, f.ofLeaf)
	if f.file != nil {
		return f.file.EstimateBytes(residualFields(left, fields), rangesOf(f.bounds.may))
	}
	sum := 0.0
	for _, id := range residualFields(left, fields) {
		sum += p.columnBytes(f, id)
	}
	return int64(min(float64(f.data.Size), sum) * float64(f.bounds.may.Cardinality()) / float64(f.rows))
}

// steps tells how a reading goes.
func (s *Scan) steps() []StepReport {
	p := s.planner
	first, last := "newest", "older"
	if p.request.Order == OldestFirst {
		first, last = "oldest", "newer"
	}
	read := fmt.Sprintf("%s first, file by file; several at once, merged by time", first)
	if n := int64(p.request.Limit); n > 0 {
		read = fmt.Sprintf("%s first, until %s found; a file whose rows are all %s than the last of these is never opened", first, found(n), last)
	}
	steps := []StepReport{{"read", read}}
	checked := false
	for _, f := range s.files {
		f.mu.Lock()
		checked = checked || f.skipped == "" && !f.bounds.decided()
		f.mu.Unlock()
	}
	if checked {
		steps = append(steps, StepReport{"check", "the columns of the conditions first, the others only of rows that match"})
	}
	return append(steps, StepReport{"hand out", plural(int64(len(s.fields)), "column")})
}

func found(n int64) string {
	if n == 1 {
		return "1 row is"
	}
	return grouped(n) + " rows are"
}

// stepsOf tells what is made of the rows of a question, besides what a search does.
func (q Query) stepsOf() (steps []StepReport) {
	if len(q.GroupBy)+len(q.Aggregates) > 0 {
		by, of := "", ""
		for i, g := range q.GroupBy {
			by += separator(i) + g.Name()
		}
		for i, a := range q.Aggregates {
			of += separator(i) + a.Name()
		}
		switch {
		case by == "":
			steps = append(steps, StepReport{"aggregate", of + " of all rows"})
		case of == "":
			steps = append(steps, StepReport{"group", "by " + by})
		default:
			steps = append(steps, StepReport{"group", "by " + by + ": " + of})
		}
	}
	if len(q.OrderBy) > 0 {
		by := ""
		for i, o := range q.OrderBy {
			name := o.Column.Name
			if o.Column.Key+o.Column.Path != "" {
				name = o.Column.String()
			}
			by += separator(i) + name
			if o.Descending {
				by += " descending"
			}
		}
		steps = append(steps, StepReport{"sort", "by " + by})
	}
	if q.Limit > 0 {
		steps = append(steps, StepReport{"limit", "the first " + grouped(int64(q.Limit))})
	}
	return steps
}

func separator(i int) string {
	if i == 0 {
		return ""
	}
	return ", "
}
