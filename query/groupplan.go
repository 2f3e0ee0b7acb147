package query

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/firnlog/firn/catalog"
	"github.com/firnlog/firn/format"
)

// groupPlan is a question for groups, bound to a table. It is immutable.
type groupPlan struct {
	inputs     []groupInput // those that are grouped by, and then those of aggregates
	groups     int          // number of the former
	aggregates []boundAggregate
	columns    []answerColumn // of all of the answer: groups, and then aggregates
	output     []int          // of columns: those handed out
	order      []columnOrder
	limit      int
	memory     int64
}

// groupInput is a column that a question for groups looks at.
type groupInput struct {
	column answerColumn
	bucket *bucketer // of a column that is grouped by intervals
}

// plain says whether statistics of the column in the table are statistics of the input.
func (in *groupInput) plain() bool { return in.column.places == nil }

// boundAggregate is an aggregate with its input.
type boundAggregate struct {
	aggregate Aggregate
	input     int // of groupPlan.inputs; -1: rows
}

// columnOrder is a Sort of a column of an answer.
type columnOrder struct {
	column     int
	descending bool
}

// typeOf returns the type of the values of an aggregate's input.
func (p *groupPlan) typeOf(a boundAggregate) format.Type {
	if a.input < 0 {
		return format.TypeInvalid
	}
	return p.inputs[a.input].column.field.Type
}

// askGroups plans a question for groups.
func (e *Engine) askGroups(ctx context.Context, t *catalog.Table, q Query, o AskOptions) (*Answer, error) {
	schema, err := format.SchemaFromArrow(t.Schema())
	if err != nil {
		return nil, fmt.Errorf("schema of table %s: %w", t.Name(), err)
	}
	if q.Limit < 0 {
		return nil, fmt.Errorf("%w: the limit is %d; give 0 for none", ErrInvalidRequest, q.Limit)
	}
	p, err := (&bound{schema: schema}).groupPlan(q)
	if err != nil {
		return nil, err
	}
	p.limit, p.memory = q.Limit, cmp.Or(o.Limits.Memory, DefaultMemory)
	columns := make([]answerColumn, len(p.inputs))
	for i := range p.inputs {
		columns[i] = p.inputs[i].column
	}
	s, err := e.Plan(ctx, t, Request{
		Predicate: q.Where, From: o.From, To: o.To, NoIndex: o.NoIndex, ForceIndex: o.ForceIndex, Limits: o.Limits, Columns: tableColumns(columns),
	})
	if err != nil {
		return nil, err
	}
	a := &Answer{scan: s, source: p, counting: true}
	out := make([]answerColumn, len(p.output))
	for i, column := range p.output {
		out[i] = p.columns[column]
	}
	a.fields, a.arrow = schemaOf(schema, out)
	return a, nil
}

// groupPlan binds a question for groups.
func (b *bound) groupPlan(q Query) (*groupPlan, error) {
	p := &groupPlan{groups: len(q.GroupBy)}
	for _, g := range q.GroupBy {
		in, err := b.groupInput(g)
		if err != nil {
			return nil, err
		}
		p.inputs = append(p.inputs, in)
		field := in.column.field
		p.columns = append(p.columns, answerColumn{field: format.Field{Name: g.Name(), Type: field.Type}})
	}
	for _, a := range q.Aggregates {
		if err := b.addAggregate(p, a); err != nil {
			return nil, err
		}
	}
	names := map[string]bool{}
	for _, c := range p.columns {
		if names[c.field.Name] {
			return nil, fmt.Errorf("%w: two columns of the answer are called %q; give one of them another name", ErrInvalidRequest, c.field.Name)
		}
		names[c.field.Name] = true
	}
	for _, s := range q.OrderBy {
		i, err := p.find(q, s.Column)
		if err != nil {
			return nil, err
		}
		p.order = append(p.order, columnOrder{i, s.Descending})
	}
	for _, c := range q.Columns {
		i, err := p.find(q, c)
		if err != nil {
			return nil, err
		}
		if slices.Contains(p.output, i) {
			return nil, fmt.Errorf("%w: the column %q is asked for twice", ErrInvalidRequest, p.columns[i].field.Name)
		}
		p.output = append(p.output, i)
	}
	if len(q.Columns) == 0 {
		p.output = firstPlaces(len(p.columns))
	}
	return p, nil
}

func (b *bound) groupInput(g Group) (groupInput, error) {
	c, err := b.answerColumn(g.Column)
	if err != nil {
		return groupInput{}, err
	}
	if c.field.Type == format.TypeStringMap {
		return groupInput{}, fmt.Errorf("%w: column %q is a map; group by one of its keys, like %s.key", ErrInvalidRequest, c.field.Name, c.field.Name)
	}
	in := groupInput{column: c}
	if g.Every != (Interval{}) {
		in.bucket, err = newBucketer(g.Every, c.field)
	}
	return in, err
}

// addAggregate binds an aggregate.
func (b *bound) addAggregate(p *groupPlan, a Aggregate) error {
	out := format.Field{Name: a.Name(), Type: format.TypeInt64}
	if a.Function == FuncCount && a.Column == (Column{}) {
		p.aggregates = append(p.aggregates, boundAggregate{a, -1})
		p.columns = append(p.columns, answerColumn{field: out})
		return nil
	}
	if a.Column == (Column{}) {
		return fmt.Errorf("%w: %s needs a column", ErrInvalidRequest, a.Function)
	}
	c, err := b.answerColumn(a.Column)
	if err != nil {
		return err
	}
	if c.field.Type == format.TypeStringMap {
		return fmt.Errorf("%w: column %q is a map; %s needs one of its keys, like %s.key", ErrInvalidRequest, c.field.Name, a.Function, c.field.Name)
	}
	numeric := c.field.Type == format.TypeString || isFloat(c.field.Type) || isWholeNumber(c.field.Type)
	switch a.Function {
	case FuncCount, FuncCountDistinct:
	case FuncMin, FuncMax:
		out.Type = c.field.Type
	case FuncSum, FuncAvg, FuncQuantile:
		if !numeric {
			return fmt.Errorf("%w: %s needs numbers, and column %s holds none", ErrInvalidRequest, a.Function, describe(leaf{field: c.field}))
		}
		if a.Function == FuncQuantile && !(a.Quantile >= 0 && a.Quantile <= 1) {
			return fmt.Errorf("%w: the quantile %v is not between 0 and 1", ErrInvalidRequest, a.Quantile)
		}
		if a.Function != FuncSum || !isWholeNumber(c.field.Type) {
			out.Type = format.TypeFloat64
		}
	default:
		return fmt.Errorf("%w: %q is no function; there are count, count_distinct, min, max, sum, avg and quantile", ErrInvalidRequest, string(a.Function))
	}
	p.aggregates = append(p.aggregates, boundAggregate{a, p.inputOf(c)})
	p.columns = append(p.columns, answerColumn{field: out})
	return nil
}

// inputOf returns the input of aggregates that is this column.
func (p *groupPlan) inputOf(c answerColumn) int {
	for i := p.groups; i < len(p.inputs); i++ {
		if p.inputs[i].column.field.Name == c.field.Name {
			return i
		}
	}
	p.inputs = append(p.inputs, groupInput{column: c})
	return len(p.inputs) - 1
}

// find returns the column of the answer that is meant: by its name, or by the column that it groups by.
func (p *groupPlan) find(q Query, c Column) (int, error) {
	for i := range p.columns {
		if name := p.columns[i].field.Name; c == Col(name) || c.String() == name {
			return i, nil
		}
	}
	for i, g := range q.GroupBy {
		if g.Column == c {
			return i, nil
		}
	}
	names := make([]string, len(p.columns))
	for i := range p.columns {
		names[i] = p.columns[i].field.Name
	}
	return 0, fmt.Errorf("%w: the answer has no column %s; it has %q", ErrInvalidRequest, c, names)
}

// countsRows says whether the whole question is how many rows there are.
func (p *groupPlan) countsRows() bool {
	return p.groups == 0 && !slices.ContainsFunc(p.aggregates, func(a boundAggregate) bool { return a.input >= 0 })
}
