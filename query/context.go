package query

import (
	"context"
	"fmt"
	"iter"
	"strconv"
)

// MaxContextRows is how many rows before, and how many after a hit can be asked for.
const MaxContextRows = 10_000

// ContextOptions says which rows around the hits of a search are wanted.
type ContextOptions struct {
	Before, After int // rows of the same stream before and after each hit; at most MaxContextRows each
	// Stream names the columns that tell streams apart: two rows are of one stream if they have the same values, or no value, in each of them. A name that is no
	// column means that key of attrs; attrs.key does too. Columns of float and double cannot be named. nil: app_id and host, those of them that the table has; empty:
	// the whole table is one stream.
	Stream []string
}

// DefaultStream names the columns that tell streams apart unless ContextOptions says otherwise.
func DefaultStream() []string { return []string{"app_id", "host"} }

// ContextPart says what a row of RowsWithContext is there for.
type ContextPart string

// The parts. A row that comes after one hit and before another is of PartBefore.
const (
	PartHit    ContextPart = "hit"    // it is one of the rows that Rows yields
	PartBefore ContextPart = "before" // it comes before a hit
	PartAfter  ContextPart = "after"  // it comes after a hit
)

// ContextRow is a hit, or a row near one.
type ContextRow struct {
	Row  Row
	Part ContextPart
	// Group numbers the groups of rows that follow on each other in their stream, from 1. Where it changes, grep prints a line with two dashes.
	Group int
}

// AppendJSON appends the row as Row.AppendJSON does, with two more entries behind the columns: "_context", which is Part, and "_group".
func (r ContextRow) AppendJSON(dst []byte) []byte {
	dst = r.Row.AppendJSON(dst)
	dst = dst[:len(dst)-1]
	if r.Row.Len() > 0 {
		dst = append(dst, ',')
	}
	dst = append(dst, `"_context":"`...)
	dst = append(dst, r.Part...)
	dst = append(dst, `","_group":`...)
	return append(strconv.AppendInt(dst, int64(r.Group), 10), '}')
}

// MarshalJSON prints the row as AppendJSON does.
func (r ContextRow) MarshalJSON() ([]byte, error) { return r.AppendJSON(nil), nil }

// RowsWithContext yields the rows that Rows yields, the hits, and with each of them the rows that come before and after it in its stream, as grep -C does. Columns, the
// limit (of hits) and the order are the request's. Its predicate and its window of time say what a hit is: the rows around it may match or not, and lie outside of
// From and To. A row that matches and that the limit left out is not a hit.
//
// What comes before and after is decided by the order of all rows (see Order), so that rows of the same time are neighbours too. Hits whose rows touch or overlap
// make one group, and no row comes twice. Within a group the oldest row comes first, whatever the order of the request; groups come in the order of the request by
// their first hits. Hits are dealt with some thousands of rows at a time; a group that is still open at the end of such a batch is continued under its number with the
// next one.
//
// It costs a reading in each direction for hits that are alone, and one for many that are near each other, of which the conditions on the stream are pruned as those of
// every search are. Stats tells about the hits; bytes, requests and rows decoded are those of their neighbours too, and so are the request's Limits: where one is
// reached, some of the rows around the hits are missing, and Partial says so. After an error (of Plan and Rows, ErrInvalidRequest) the
// iteration ends.
func (s *Scan) RowsWithContext(ctx context.Context, o ContextOptions) iter.Seq2[ContextRow, error] {
	return s.rowsWithContext(ctx, o, func(*contextReader) {})
}

func (s *Scan) rowsWithContext(ctx context.Context, o ContextOptions, prepare func(x *contextReader)) iter.Seq2[ContextRow, error] {
	return func(yield func(ContextRow, error) bool) {
		x, err := s.newContextReader(o)
		if err == nil {
			prepare(x)
			err = x.run(ctx, yield)
		}
		if err != nil {
			yield(ContextRow{}, err)
		}
	}
}

// RowsWithContext is Scan.RowsWithContext with the columns of the answer. The answer must be one of rows in the order of their times; else the error is ErrInvalidRequest.
func (a *Answer) RowsWithContext(ctx context.Context, o ContextOptions) iter.Seq2[ContextRow, error] {
	p, ok := a.source.(*projector)
	if !ok {
		return func(yield func(ContextRow, error) bool) {
			yield(ContextRow{}, fmt.Errorf("%w: there are rows before and after rows of the table, in the order of their times: ask for neither groups nor another order",
				ErrInvalidRequest))
		}
	}
	return a.scan.rowsWithContext(ctx, o, func(x *contextReader) { x.fields, x.shape = a.fields, p.project })
}

// streamPlaces returns where the values are that tell streams apart.
func (b *bound) streamPlaces(names []string) (places []streamPlace, err error) {
	optional := names == nil
	if optional {
		names = DefaultStream()
	}
	for _, name := range names {
		if _, ok := b.schema.Lookup(name); !ok && optional {
			continue
		}
		leaves, err := b.resolve(Col(name))
		if err != nil {
			return nil, fmt.Errorf("the columns of a stream: %w", err)
		}
		l := leaves[0]
		if classOf(l) == classFloat {
			return nil, fmt.Errorf("%w: the columns of a stream: %s; name columns of texts or whole numbers", ErrInvalidRequest, describe(l))
		}
		places = append(places, streamPlace{field: l.field, inMap: l.inMap, key: l.key})
	}
	return places, nil
}

func (o ContextOptions) check() error {
	for _, n := range []int{o.Before, o.After} {
		if n < 0 || n > MaxContextRows {
			return fmt.Errorf("%w: %d rows of context; give a number from 0 to %d", ErrInvalidRequest, n, MaxContextRows)
		}
	}
	return nil
}
