package query

import "time"

// Builder puts a Query together. Its methods change it and return it, so that they can be chained; Query gives what was put together so far. A Builder belongs to one
// goroutine. Columns are given by their names, attrs.key for a key of attrs; answers in groups name their columns as Group.Name and Aggregate.Name do: count().
type Builder struct {
	query Query
	where And
	named *string // where As puts the name
}

// From begins a question to a table; its name may be empty where the caller names the table otherwise.
func From(table string) *Builder { return &Builder{query: Query{Table: table}} }

// Select begins a question for columns.
func Select(columns ...string) *Builder { return From("").Select(columns...) }

// Select adds columns of the answer. Without any it has all.
func (b *Builder) Select(columns ...string) *Builder {
	for _, c := range columns {
		b.query.Columns = append(b.query.Columns, Col(c))
	}
	return b
}

// Where adds conditions; rows must meet all of them.
func (b *Builder) Where(conditions ...Predicate) *Builder {
	b.where = append(b.where, conditions...)
	return b
}

// Last adds the condition that a row is no older than this when the question is asked.
func (b *Builder) Last(span time.Duration) *Builder {
	return b.Where(Compare{Col(timestampColumn), GreaterOrEqual, Ago(span)})
}

// GroupBy groups rows by the values of columns.
func (b *Builder) GroupBy(columns ...string) *Builder {
	for _, c := range columns {
		b.group(Group{Column: Col(c)})
	}
	return b
}

// GroupByInterval groups rows by the interval that a column of time lies in: GroupByInterval("_timestamp", 1, Hour).
func (b *Builder) GroupByInterval(column string, count int, unit IntervalUnit) *Builder {
	return b.group(Group{Column: Col(column), Every: Interval{Count: count, Unit: unit}})
}

func (b *Builder) group(g Group) *Builder {
	b.query.GroupBy = append(b.query.GroupBy, g)
	b.named = &b.query.GroupBy[len(b.query.GroupBy)-1].As
	return b
}

// Count adds the number of rows of each group, or of all rows.
func (b *Builder) Count() *Builder { return b.Aggregate(Aggregate{Function: FuncCount}) }

// CountValues adds the number of values of a column that are not null.
func (b *Builder) CountValues(column string) *Builder { return b.of(FuncCount, column) }

// CountDistinct adds the number of distinct values of a column.
func (b *Builder) CountDistinct(column string) *Builder { return b.of(FuncCountDistinct, column) }

// Min adds the least value of a column.
func (b *Builder) Min(column string) *Builder { return b.of(FuncMin, column) }

// Max adds the greatest value of a column.
func (b *Builder) Max(column string) *Builder { return b.of(FuncMax, column) }

// Sum adds the sum of a column.
func (b *Builder) Sum(column string) *Builder { return b.of(FuncSum, column) }

// Avg adds the mean of a column.
func (b *Builder) Avg(column string) *Builder { return b.of(FuncAvg, column) }

// Quantile adds a quantile of a column, 0 <= q <= 1.
func (b *Builder) Quantile(q float64, column string) *Builder {
	return b.Aggregate(Aggregate{Function: FuncQuantile, Column: Col(column), Quantile: q})
}

func (b *Builder) of(f Function, column string) *Builder {
	return b.Aggregate(Aggregate{Function: f, Column: Col(column)})
}

// Aggregate adds an aggregate.
func (b *Builder) Aggregate(a Aggregate) *Builder {
	b.query.Aggregates = append(b.query.Aggregates, a)
	b.named = &b.query.Aggregates[len(b.query.Aggregates)-1].As
	return b
}

// As names the aggregate, or the column of GroupBy, that was added last. It does nothing if there is none.
func (b *Builder) As(name string) *Builder {
	if b.named != nil {
		*b.named = name
	}
	return b
}

// OrderBy orders the answer by columns, smallest values first.
func (b *Builder) OrderBy(columns ...string) *Builder { return b.order(columns, false) }

// OrderByDescending orders the answer by columns, greatest values first.
func (b *Builder) OrderByDescending(columns ...string) *Builder { return b.order(columns, true) }

func (b *Builder) order(columns []string, descending bool) *Builder {
	for _, c := range columns {
		b.query.OrderBy = append(b.query.OrderBy, Sort{Column: Col(c), Descending: descending})
	}
	return b
}

// Limit bounds the rows of the answer.
func (b *Builder) Limit(rows int) *Builder {
	b.query.Limit = rows
	return b
}

// Query returns the question in normal form. The Builder may be used on.
func (b *Builder) Query() Query {
	q := b.query
	q.Where = b.where
	return q.Normalize()
}
