package query

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"time"

	"github.com/firnlog/firn/catalog"
	"github.com/firnlog/firn/format"
)

// Defaults of FollowOptions, and how long Follow waits at most between two attempts that fail.
const (
	DefaultFollowInterval = 2 * time.Second
	mostFollowWait        = time.Minute
)

// FollowOptions refine Follow. The zero value yields what is appended from now on.
type FollowOptions struct {
	Last     int           // rows that the table has already, to begin with: the newest that match, oldest first
	Interval time.Duration // between two looks at the table; default DefaultFollowInterval
	NoIndex  bool          // see Request
	// Notice is told, in words for people, when the table was dropped, made anew or rolled back, and when rows cannot be shown because snapshots were expired or
	// because another engine overwrote data. nil: the engine's logger is warned.
	Notice func(text string)
	// Waiting is called, by the goroutine that iterates, when all rows so far were handed out and the next look or attempt is waited for: the time to flush them. nil: nothing.
	Waiting func()
}

// FollowTable loads the table that is followed, as it is now.
type FollowTable func(ctx context.Context) (*catalog.Table, error)

// Follow yields the rows that match a query as they are committed to a table: first FollowOptions.Last rows of those that are there, then those of each snapshot
// that appends files, however old their timestamps are. Rows of what was appended between two looks at the table come together, oldest first. Each row comes exactly once:
// snapshots that only write files anew (replace), or remove rows (delete), yield nothing, and neither do those that overwrite, of which nobody can tell what is new; they
// are told to FollowOptions.Notice. Times relative to now, as in "last 15m", are taken anew with each look.
//
// Of the query, Where and Columns count, and Limit, which ends the iteration after so many rows in all. GroupBy, Aggregates and OrderBy are refused with
// ErrInvalidRequest.
//
// What fails to begin with is returned. Later the catalog and the storage are tried again for as long as it takes, at growing intervals of up to a minute, and the engine's
// logger is told; errors that trying again cannot mend (ErrInvalidRequest, ErrDeletes, format.ErrCorrupt, format.ErrUnsupported, catalog.ErrUnsupported) end the iteration. A
// table that was dropped is waited for. When the context ends the iteration does, without an error.
func (e *Engine) Follow(ctx context.Context, table FollowTable, q Query, o FollowOptions) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		f := &follower{engine: e, load: table, query: q, options: o, yield: yield, left: math.MaxInt, seen: map[int64]bool{}}
		if err := f.run(ctx); !errors.Is(err, errFollowed) && ctx.Err() == nil {
			yield(Row{}, err)
		}
	}
}

// errFollowed says that the consumer wants no more rows, or got all that it asked for.
var errFollowed = errors.New("no more rows are wanted")

// follower is one run of Follow.
type follower struct {
	engine  *Engine
	load    FollowTable
	query   Query
	options FollowOptions
	yield   func(Row, error) bool
	left    int // rows to hand out

	table *catalog.Table // the latest view that was dealt with
	seen  map[int64]bool // snapshots that the table was made of while it was followed
	gone  bool           // the table was not there at the latest look
}

// run returns why it ended.
func (f *follower) run(ctx context.Context) error {
	if err := f.check(); err != nil {
		return err
	}
	t, err := f.load(ctx)
	if err != nil {
		return err
	}
	if err := f.begin(ctx, t); err != nil {
		return err
	}
	f.take(t)
	for {
		if err := f.wait(ctx, f.options.Interval); err != nil {
			return err
		}
		var news *followNews
		err := f.patiently(ctx, "look for new rows", func() (err error) {
			news, err = f.look(ctx)
			return err
		})
		if err != nil {
			return err
		}
		if news != nil {
			if err := f.deliver(ctx, news); err != nil {
				return err
			}
		}
	}
}

// Followable returns why Follow refuses a query whatever the table is (ErrInvalidRequest), or nil.
func Followable(q Query) error {
	switch {
	case len(q.GroupBy)+len(q.Aggregates) > 0:
		return fmt.Errorf("%w: rows are followed as they come, so there is no end at which groups and numbers are known: leave out stats, or search instead", ErrInvalidRequest)
	case len(q.OrderBy) > 0:
		return fmt.Errorf("%w: rows are followed in the order in which they are committed: leave out sort, or search instead", ErrInvalidRequest)
	}
	return nil
}

// check refuses what cannot be followed.
func (f *follower) check() error {
	q := f.query
	switch err := Followable(q); {
	case err != nil:
		return err
	case q.Limit < 0 || f.options.Last < 0 || f.options.Interval < 0:
		return fmt.Errorf("%w: the limit (%d), the number of last rows (%d) and the interval (%s) must not be negative", ErrInvalidRequest, q.Limit, f.options.Last,
			f.options.Interval)
	}
	if q.Limit > 0 {
		f.left = q.Limit
	}
	if f.options.Interval == 0 {
		f.options.Interval = DefaultFollowInterval
	}
	if f.options.Notice == nil {
		f.options.Notice = func(text string) { f.engine.log.Warn(text) }
	}
	return nil
}

// begin hands out the last rows of the table. It also finds out whether the query fits the table.
func (f *follower) begin(ctx context.Context, t *catalog.Table) error {
	q, o := f.query, AskOptions{NoIndex: f.options.NoIndex}
	if q.Limit = min(f.options.Last, f.left); q.Limit == 0 {
		o.Files = []catalog.DataFile{}
	}
	answer, err := f.engine.Ask(ctx, t, q, o)
	if err != nil {
		return err
	}
	var rows []Row
	for row, err := range answer.Rows(ctx) {
		if err != nil {
			return err
		}
		rows = append(rows, row)
	}
	slices.Reverse(rows)
	for _, row := range rows {
		if err := f.hand(row); err != nil {
			return err
		}
	}
	return nil
}

// hand gives a row to the consumer.
func (f *follower) hand(row Row) error {
	f.left--
	if !f.yield(row, nil) || f.left == 0 {
		return errFollowed
	}
	return nil
}

// patiently tries something until it works or trying again is no use.
func (f *follower) patiently(ctx context.Context, what string, do func() error) error {
	wait, failed := f.options.Interval, false
	for {
		err := do()
		switch {
		case err == nil:
			if failed {
				f.engine.log.Info("following goes on", "table", f.table.Name())
			}
			return nil
		case ctx.Err() != nil, errors.Is(err, errFollowed), hopeless(err):
			return err
		}
		failed, wait = true, min(2*wait, max(wait, mostFollowWait))
		f.engine.log.Warn("following a table: cannot "+what+"; it is tried again", "table", f.table.Name(), "error", err, "after", wait)
		if err := f.wait(ctx, wait); err != nil {
			return err
		}
	}
}

// hopeless says whether trying again cannot mend an error.
func hopeless(err error) bool {
	for _, is := range []error{ErrInvalidRequest, ErrDeletes, format.ErrCorrupt, format.ErrUnsupported, catalog.ErrUnsupported, catalog.ErrInvalid} {
		if errors.Is(err, is) {
			return true
		}
	}
	return false
}

func (f *follower) wait(ctx context.Context, d time.Duration) error {
	if f.options.Waiting != nil {
		f.options.Waiting()
	}
	return f.engine.wait(ctx, d)
}

// wait waits for d, or until the context ends.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
