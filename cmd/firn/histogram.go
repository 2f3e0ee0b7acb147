package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/firnlog/firn"
	"github.com/firnlog/firn/query"
)

// Bounds of the histogram above the rows.
const (
	histogramPatience = 300 * time.Millisecond // that rows wait for it
	histogramTime     = time.Second            // that computing it takes; then it is left out
	histogramBuckets  = 60                     // at most, but for one more if the first does not begin at its mark
)

// histogram is computed beside a search.
type histogram struct {
	done     chan *overview  // holds one value at the end: nil if there is nothing to print
	patience <-chan struct{} // closed when the rows shall not wait any longer
	cancel   context.CancelFunc
	begun    bool // rows were printed
}

// overview is how many rows match, by time.
type overview struct {
	every  query.Interval
	width  time.Duration // of every
	start  time.Time     // of the first bucket
	counts []int64
	total  int64
}

// startHistogram begins to count the rows that match a question by time. finish must be called.
func (a *app) startHistogram(ctx context.Context, lake *firn.Lake, table *firn.Table, q *question) *histogram {
	patience := histogramPatience
	if a.patience > 0 {
		patience = a.patience
	}
	ctx, cancel := context.WithTimeout(ctx, max(histogramTime, patience))
	h := &histogram{done: make(chan *overview, 1)}
	waiting, enough := context.WithTimeout(ctx, patience)
	h.patience, h.cancel = waiting.Done(), func() { enough(); cancel() }
	width, _ := a.terminalSize(a.stdout)
	go func() {
		o, err := overviewOf(ctx, lake, table, q, max(1, min(histogramBuckets, width-1)))
		if err != nil {
			o = nil // the rows tell about errors
		}
		h.done <- o
	}()
	return h
}

// beforeRows prints the histogram above the first row if it is ready soon.
func (h *histogram) beforeRows(a *app, q *question) error {
	if h == nil || h.begun {
		return nil
	}
	h.begun = true
	select {
	case o := <-h.done:
		h.done <- nil
		return a.printOverview(o, q)
	case <-h.patience:
		return nil
	}
}

// finish prints the histogram if it is ready but was not when the rows began, and ends its computation.
func (h *histogram) finish(a *app, q *question) error {
	if h == nil {
		return nil
	}
	var late *overview
	select {
	case late = <-h.done:
		h.done <- nil
	default:
	}
	h.cancel()
	<-h.done // the goroutine is done with the lake
	return a.printOverview(late, q)
}

// overviewOf counts the rows of a question in about so many buckets.
func overviewOf(ctx context.Context, lake *firn.Lake, table *firn.Table, q *question, buckets int) (*overview, error) {
	at := firn.Col(firn.ColumnTimestamp)
	o := q.options
	var low, high time.Time
	bounds := firn.Query{Where: timesOf(q.query.Where), Aggregates: []query.Aggregate{{Function: query.FuncMin, Column: at}, {Function: query.FuncMax, Column: at}}}
	err := eachRow(ctx, lake, table, bounds, o, func(r firn.Row) {
		low, _ = r.Value(0).(time.Time)
		high, _ = r.Value(1).(time.Time)
	})
	if err != nil || low.IsZero() || high.IsZero() {
		return nil, err
	}
	view := &overview{}
	view.every, view.width = roundInterval(high.Sub(low), buckets)
	view.start = time.UnixMicro(low.UnixMicro() - mod(low.UnixMicro(), view.width.Microseconds())).UTC() // intervals count from 1970
	view.counts = make([]int64, int(high.Sub(view.start)/view.width)+1)
	counts := firn.Query{
		Where:   q.query.Where,
		GroupBy: []query.Group{{Column: at, Every: view.every}}, Aggregates: []query.Aggregate{{Function: query.FuncCount}},
	}
	err = eachRow(ctx, lake, table, counts, o, func(r firn.Row) {
		start, ok := r.Value(0).(time.Time)
		n, _ := r.Value(1).(int64)
		view.total += n
		if i := int(start.Sub(view.start) / view.width); ok && i >= 0 && i < len(view.counts) {
			view.counts[i] += n
		}
	})
	return view, err
}

// mod is the remainder of floored division.
func mod(a, b int64) int64 { return ((a % b) + b) % b }

// eachRow runs a query.
func eachRow(ctx context.Context, lake *firn.Lake, table *firn.Table, q firn.Query, o firn.AskOptions, use func(firn.Row)) error {
	answer, err := lake.Query(ctx, table, q, o)
	if err != nil {
		return err
	}
	for row, err := range answer.Rows(ctx) {
		if err != nil {
			return err
		}
		use(row)
	}
	if why := answer.Partial(); why != "" {
		return fmt.Errorf("partial: %s", why)
	}
	return nil
}

// timesOf returns those of the conditions that all rows must meet which are about the time.
func timesOf(p firn.Predicate) firn.Predicate {
	const columnDate = "log_date"
	about := func(c query.Column) bool {
		return c == firn.Col(firn.ColumnTimestamp) || c == firn.Col(columnDate)
	}
	all := firn.And{}
	switch p := p.(type) {
	case firn.And:
		for _, x := range p {
			if times, ok := timesOf(x).(firn.And); ok {
				all = append(all, times...)
			}
		}
	case firn.Compare:
		if about(p.Column) {
			all = append(all, p)
		}
	case firn.Between:
		if about(p.Column) {
			all = append(all, p)
		}
	case firn.Equal:
		if about(p.Column) {
			all = append(all, p)
		}
	case firn.In:
		if about(p.Column) {
			all = append(all, p)
		}
	}
	return all
}

// roundInterval returns the shortest interval of a round length of which so many cover a span.
func roundInterval(span time.Duration, buckets int) (query.Interval, time.Duration) {
	fits := func(width time.Duration) bool { return span/width < time.Duration(buckets) }
	for _, unit := range []struct {
		unit   query.IntervalUnit
		width  time.Duration
		counts []int
	}{
		{query.Second, time.Second, []int{1, 2, 5, 10, 15, 30}},
		{query.Minute, time.Minute, []int{1, 2, 5, 10, 15, 30}},
		{query.Hour, time.Hour, []int{1, 2, 3, 6, 12}},
	} {
		for _, count := range unit.counts {
			if width := time.Duration(count) * unit.width; fits(width) {
				return query.Interval{Count: count, Unit: unit.unit}, width
			}
		}
	}
	const day, most = 24 * time.Hour, 50_000 // days: a time.Duration is 106,751 at most
	for size := 1; ; size *= 10 {
		for _, count := range []int{size, 2 * size, 5 * size} {
			if width := time.Duration(count) * day; fits(width) || count >= most {
				return query.Interval{Count: count, Unit: query.Day}, width
			}
		}
	}
}

// printOverview draws a histogram of one line, and says of what, on the same line if there is room.
func (a *app) printOverview(o *overview, q *question) error {
	if o == nil || o.total == 0 {
		return nil
	}
	colored, err := a.colored(q.flags.color)
	if err != nil {
		return err
	}
	var bars strings.Builder
	for _, n := range o.counts {
		bars.WriteString(o.bar(n))
	}
	const layout = "2006-01-02 15:04:05"
	zone := a.localZone()
	end := o.start.Add(time.Duration(len(o.counts)) * o.width)
	caption := fmt.Sprintf("%s, %s to %s, %s a column", plural(o.total, "row"), o.start.In(zone).Format(layout), end.In(zone).Format(layout), plural(int64(o.every.Count), string(o.every.Unit)))
	text := painter(colored).paint(nil, styleOverview, bars.String())
	width, _ := a.terminalSize(a.stdout)
	if len(o.counts)+columnGap+len(caption) <= width {
		text = appendBlanks(text, columnGap)
	} else {
		text = append(text, '\n')
	}
	text = painter(colored).paint(text, styleDim, caption)
	return a.printf("%s\n", text)
}

// bar draws a count, in eighths of the highest one; whatever there is shows.
func (o *overview) bar(n int64) string {
	levels := [...]string{" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"}
	most := int64(1)
	for _, c := range o.counts {
		most = max(most, c)
	}
	const eighths = int64(len(levels) - 1)
	level := (float64(n)*float64(eighths) + float64(most) - 1) / float64(most)
	return levels[min(eighths, int64(level))]
}
