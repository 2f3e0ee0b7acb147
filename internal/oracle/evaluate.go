package oracle

import (
	"bufio"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"runtime"
	"sort"
	"sync"
)

// Options of Evaluate. The zero value works.
type Options struct {
	Keep    int   // answers of up to this many rows come with the rows; 0: none do
	Digest  bool  // also sum up a hash of every row
	MaxRows int64 // stop after this many lines; 0: read all
}

// Answer is what one query finds.
type Answer struct {
	Count int64
	Rows  []string // the rows in canonical form, sorted; nil if there are more than Options.Keep
}

// Result is what Evaluate finds.
type Result struct {
	Rows, Rejected, Blank int64
	MinMicros, MaxMicros  int64  // of all rows; 0 if there are none
	Digest                uint64 // the sum of RowHash of every row, if asked for
	Answers               []Answer
}

// plan is what the queries need of each row.
type plan struct {
	mapper     *Mapper
	dictionary *dictionary
	sources    []func(*Row) Value
	names      map[Field]int
}

// getter returns the function that fetches a field of a row.
func (p *plan) getter(f Field) func(*Row) Value {
	if f.Column == "" {
		return func(r *Row) Value { return r.attr(f.Key) }
	}
	c, ok := p.mapper.index[f.Column]
	if !ok {
		return func(*Row) Value { return Value{} }
	}
	if f.Path != "" {
		return func(r *Row) Value {
			if !r.Cells[c].Known {
				return Value{}
			}
			return jsonAt(r.Cells[c].Text, f.Path)
		}
	}
	return func(r *Row) Value { return r.Cells[c] }
}

// source numbers a field whose tokens are asked for.
func (p *plan) source(f Field) int {
	if i, ok := p.names[f]; ok {
		return i
	}
	p.names[f] = len(p.sources)
	p.sources = append(p.sources, p.getter(f))
	return len(p.sources) - 1
}

// tokenSet is the tokens of one text, as far as queries ask for them.
type tokenSet struct {
	done     bool
	sequence []int32 // numbers in the dictionary, -1 for others
	present  []bool
}

func (s *tokenSet) has(id int32) bool { return s.present[id] }

// rowView is a row with its tokens, each field tokenised once. It belongs to one goroutine.
type rowView struct {
	plan  *plan
	row   *Row
	sets  []tokenSet
	memo  map[string]int32 // spelling to number
	spans []span
}

func newRowView(p *plan) *rowView {
	v := &rowView{plan: p, sets: make([]tokenSet, len(p.sources)), memo: map[string]int32{}}
	for i := range v.sets {
		v.sets[i].present = make([]bool, len(p.dictionary.tokens))
	}
	return v
}

// reset makes the view show another row.
func (v *rowView) reset(r *Row) {
	v.row = r
	for i := range v.sets {
		s := &v.sets[i]
		for _, id := range s.sequence {
			if id >= 0 {
				s.present[id] = false
			}
		}
		s.done, s.sequence = false, s.sequence[:0]
	}
}

// maxMemo bounds how many spellings a view remembers.
const maxMemo = 1 << 18

// tokens returns the tokens of a source.
func (v *rowView) tokens(source int) *tokenSet {
	s := &v.sets[source]
	if s.done {
		return s
	}
	s.done = true
	text := v.plan.sources[source](v.row).Text
	v.spans = appendSpans(v.spans[:0], text)
	for _, at := range v.spans {
		token := text[at.start:at.end]
		id, ok := v.memo[token]
		if !ok {
			id = v.plan.dictionary.find(token)
			if len(v.memo) < maxMemo {
				v.memo[string([]byte(token))] = id
			}
		}
		s.sequence = append(s.sequence, id)
		if id >= 0 {
			s.present[id] = true
		}
	}
	return s
}

// Evaluate reads JSON lines once and answers every query.
func Evaluate(r io.Reader, m *Mapper, queries []Query, opts Options) (*Result, error) {
	p := &plan{mapper: m, dictionary: newDictionary(), names: map[Field]int{}}
	tests := make([]compiled, len(queries))
	for i, q := range queries {
		tests[i] = p.query(q)
	}
	blocks := make(chan block, 4)
	workers := make([]*worker, runtime.GOMAXPROCS(0))
	var group sync.WaitGroup
	for i := range workers {
		w := &worker{view: newRowView(p), tests: tests, opts: opts, answers: make([]Answer, len(queries))}
		workers[i] = w
		group.Add(1)
		go func() {
			defer group.Done()
			for b := range blocks {
				w.block(m, b)
			}
		}()
	}
	err := readBlocks(r, opts.MaxRows, func(b block) { blocks <- b })
	close(blocks)
	group.Wait()
	if err != nil {
		return nil, err
	}
	return merge(workers, opts, len(queries)), nil
}

// query compiles a query: its window and its predicate.
func (p *plan) query(q Query) compiled {
	where := compile(p, q.Where)
	return func(v *rowView) bool {
		t := Time(v.row.Micros())
		if !q.From.IsZero() && t.Before(q.From) || !q.To.IsZero() && !t.Before(q.To) {
			return false
		}
		return where(v)
	}
}

// block is a run of lines.
type block struct {
	first int64 // number of the first line, from 1
	lines [][]byte
}

// readBlocks cuts the input into blocks of lines.
func readBlocks(r io.Reader, limit int64, yield func(block)) error {
	in := bufio.NewReaderSize(r, 1<<20)
	b := block{first: 1}
	var n int64
	for limit == 0 || n < limit {
		line, err := in.ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("read line %d: %w", n+1, err)
		}
		if len(line) > 0 {
			n++
			b.lines = append(b.lines, line)
		}
		if len(b.lines) == 1000 {
			yield(b)
			b = block{first: n + 1}
		}
		if err != nil {
			break
		}
	}
	if len(b.lines) > 0 {
		yield(b)
	}
	return nil
}

// worker evaluates blocks and keeps its own share of the result.
type worker struct {
	view    *rowView
	tests   []compiled
	opts    Options
	result  Result
	answers []Answer
}

func (w *worker) block(m *Mapper, b block) {
	for i, line := range b.lines {
		row, err := m.Map(line)
		switch {
		case errors.Is(err, ErrBlank):
			w.result.Blank++
		case err != nil:
			w.result.Rejected++
		default:
			row.Line = b.first + int64(i)
			w.row(m, row)
		}
	}
}

func (w *worker) row(m *Mapper, row *Row) {
	t := row.Micros()
	if w.result.Rows == 0 || t < w.result.MinMicros {
		w.result.MinMicros = t
	}
	if w.result.Rows == 0 || t > w.result.MaxMicros {
		w.result.MaxMicros = t
	}
	w.result.Rows++
	if w.opts.Digest {
		w.result.Digest += RowHash(m.Canonical(row))
	}
	w.view.reset(row)
	for i, test := range w.tests {
		if !test(w.view) {
			continue
		}
		a := &w.answers[i]
		a.Count++
		if a.Count <= int64(w.opts.Keep) {
			a.Rows = append(a.Rows, m.Canonical(row))
		}
	}
}

// merge adds up the workers' shares.
func merge(workers []*worker, opts Options, queries int) *Result {
	total := &Result{Answers: make([]Answer, queries)}
	for _, w := range workers {
		r := w.result
		if r.Rows > 0 && (total.Rows == 0 || r.MinMicros < total.MinMicros) {
			total.MinMicros = r.MinMicros
		}
		if r.Rows > 0 && (total.Rows == 0 || r.MaxMicros > total.MaxMicros) {
			total.MaxMicros = r.MaxMicros
		}
		total.Rows += r.Rows
		total.Rejected += r.Rejected
		total.Blank += r.Blank
		total.Digest += r.Digest
		for i, a := range w.answers {
			total.Answers[i].Count += a.Count
			total.Answers[i].Rows = append(total.Answers[i].Rows, a.Rows...)
		}
	}
	for i := range total.Answers {
		a := &total.Answers[i]
		if a.Count > int64(opts.Keep) {
			a.Rows = nil
		}
		sort.Strings(a.Rows)
	}
	return total
}

// RowHash hashes a row in canonical form.
func RowHash(canonical string) uint64 {
	h := fnv.New64a()
	_, _ = io.WriteString(h, canonical)
	return h.Sum64()
}
