package query

import (
	"context"
	"iter"
	"sync"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/firnlog/firn/catalog"
	"github.com/firnlog/firn/format"
)

// AskOptions say how a Query is run. The zero value asks for a whole answer over all times.
type AskOptions struct {
	From, To   time.Time // restrict _timestamp to [From, To); zero is open
	Order      Order     // of rows, if the Query has no OrderBy
	NoIndex    bool      // see Request
	ForceIndex bool      // see Request
	Limits     Limits
	Files      []catalog.DataFile // see Request
}

// Answer is a planned Query. It is safe for concurrent use; Partial, Stats and Explanation tell about the latest reading.
type Answer struct {
	query    Query
	scan     *Scan
	fields   []format.Field // of the rows of the answer
	arrow    *arrow.Schema  // of fields
	source   answerSource
	counting bool // rows of the scan are counted, and not handed out

	mu     sync.Mutex
	latest *answerReading
}

// answerSource makes the rows of an answer.
type answerSource interface {
	// rows calls emit with batches and the rows of them to hand out, in order, until it returns false. Batches have the answer's fields and stay valid.
	rows(ctx context.Context, r *answerReading, emit func(b *format.Batch, row int32) bool) error
}

// answerReading is one run of Rows or Batches.
type answerReading struct {
	reading *reading

	mu      sync.Mutex
	partial string
	tally   answerTally
}

// Ask plans a Query over a table: it prunes as Plan does, and reads no data page. Query.Table is not looked at. Errors are those of Plan; ErrInvalidRequest also
// says what of the Query does not fit the table or itself.
//
// Of a key of attrs which is also the name of a column the value in attrs counts, and where there is none that of the column, as text. In a question for groups
// all NaN are alike, and so are 0 and -0; NaN is a value to count and count_distinct and is left out by min, max, sum, avg and quantile. Values that are greater than all
// others come last: NaN, and then null, which is last in descending order too. A sum of whole numbers is exact, and an error (ErrOverflow) if it does not fit into 64 bits; one
// of others has about twice the digits of a double on the way, so that the order of the rows shows at most in its last digit.
func (e *Engine) Ask(ctx context.Context, t *catalog.Table, q Query, o AskOptions) (*Answer, error) {
	ask := e.askRows
	if len(q.GroupBy)+len(q.Aggregates) > 0 {
		ask = e.askGroups
	}
	a, err := ask(ctx, t, q, o)
	if err != nil {
		return nil, err
	}
	a.query = q
	return a, nil
}

// Columns returns the columns of the answer's rows. Those that are no columns of the table have the field id 0.
func (a *Answer) Columns() []format.Field { return a.fields }

// ArrowSchema returns the schema of Batches.
func (a *Answer) ArrowSchema() *arrow.Schema { return a.arrow }

// Scan returns the search below the answer: the rows that it is made of, in no particular order if the answer is not a part of them.
func (a *Answer) Scan() *Scan { return a.scan }

// Rows reads and yields the rows of the answer in its order. A Row stays valid. After an error the iteration ends. If a limit ends it, there is no error;
// see Partial.
func (a *Answer) Rows(ctx context.Context) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		r := a.newReading()
		defer r.reading.finish()
		err := a.source.rows(ctx, r, func(b *format.Batch, row int32) bool { return yield(newRow(a.fields, b, row), nil) })
		if err != nil {
			yield(Row{}, err)
		}
	}
}

// Batches is Rows as Arrow record batches of ArrowSchema. The consumer releases each batch.
func (a *Answer) Batches(ctx context.Context) iter.Seq2[arrow.RecordBatch, error] {
	return func(yield func(arrow.RecordBatch, error) bool) {
		r := a.newReading()
		defer r.reading.finish()
		b := newBatcher(a.fields, a.arrow, yield)
		b.end(a.source.rows(ctx, r, b.add))
	}
}

func (a *Answer) newReading() *answerReading {
	r := &answerReading{reading: a.scan.newReading(a.counting)}
	a.mu.Lock()
	a.latest = r
	a.mu.Unlock()
	return r
}

// Partial returns why the rows of the latest reading are not the whole answer, such as "the time limit of 5s was reached"; "" if they are. Rows that a limit
// cut short are the first ones of the whole answer; numbers and groups are of those rows of the table that were seen until then.
func (a *Answer) Partial() string {
	a.mu.Lock()
	r := a.latest
	a.mu.Unlock()
	if r != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.partial != "" {
			return r.partial
		}
	}
	return a.scan.Partial()
}

// Stats returns what planning and the latest reading cost so far.
func (a *Answer) Stats() Stats {
	st := a.scan.Stats()
	st.Partial = a.Partial()
	a.mu.Lock()
	r := a.latest
	a.mu.Unlock()
	if r != nil {
		r.mu.Lock()
		r.tally.addTo(&st)
		r.mu.Unlock()
	}
	return st
}

// Explanation tells how the search below the answer was pruned, and what is made of its rows.
func (a *Answer) Explanation() Explanation {
	e := a.scan.Explanation()
	groups := len(a.query.GroupBy)+len(a.query.Aggregates) > 0
	if groups || a.query.Limit != a.scan.planner.request.Limit {
		steps := a.query.stepsOf()
		e.Steps = append(e.Steps[:len(e.Steps)-1:len(e.Steps)-1], steps...)
		e.Steps = append(e.Steps, StepReport{"hand out", plural(int64(len(a.fields)), "column")})
	}
	if groups && len(e.Steps) > 0 {
		e.Steps[0].Detail = "files side by side, in no order; none if bounds and indexes tell the answer"
	}
	if e.Actual != nil {
		st := a.Stats()
		e.Actual = &st
	}
	return e
}

// Analyze makes the answer, hands out nothing, and explains what it took beside what was expected.
func (a *Answer) Analyze(ctx context.Context) (Explanation, error) {
	a.scan.Explanation() // estimates before anything is read
	for _, err := range a.Rows(ctx) {
		if err != nil {
			return Explanation{}, err
		}
	}
	return a.Explanation(), nil
}
