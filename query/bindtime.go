package query

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/firnlog/firn/format"
)

// dayField is the day of _timestamp, as conditions on the partition of a table name it, if the table has no column of that name.
const dayField = "log_date"

// moment is an Ago that was resolved.
type moment time.Time

// resolveAgo returns the moment that an Ago means, and other values as they are.
func (b *bound) resolveAgo(v any) any {
	if ago, ok := v.(Ago); ok {
		return moment(b.now.Add(-time.Duration(ago)))
	}
	return v
}

// checkMoments says whether the leaf's column can be compared with the moments among the values.
func (l *leaf) checkMoments(values ...any) error {
	for _, v := range values {
		if _, ok := v.(moment); ok && (l.inMap || l.field.Type != format.TypeTimestamp && l.field.Type != format.TypeDate) {
			return fmt.Errorf("it holds no times that could be compared with now")
		}
	}
	return nil
}

func timeOfMoment(v any) any {
	if m, ok := v.(moment); ok {
		return time.Time(m)
	}
	return v
}

// bindDay binds a condition on the day of _timestamp, if p is one.
func (b *bound) bindDay(p Predicate) (node, bool, error) {
	c, days := dayCondition(p)
	if c != Col(dayField) {
		return nil, false, nil
	}
	if _, isColumn := b.schema.Lookup(dayField); isColumn {
		return nil, false, nil
	}
	f, ok := b.schema.Lookup(timestampColumn)
	if !ok || f.Type != format.TypeTimestamp {
		return nil, false, nil
	}
	var kids []node
	for _, d := range days {
		span := compareWhole(GreaterOrEqual, whole{below: true})
		for _, end := range d.ends {
			w, err := b.dayEnd(end.value, end.next)
			if err != nil {
				return nil, true, fmt.Errorf("%w: %s: column %q, the day of %s: %w", ErrInvalidRequest, p, dayField, timestampColumn, err)
			}
			span = span.and(compareWhole(end.op, w))
		}
		kids = append(kids, b.add(leaf{kind: leafRange, class: classWhole, field: f, whole: span, source: d.source}))
	}
	if null, ok := p.(IsNull); ok {
		return b.add(leaf{kind: leafNull, class: classWhole, field: f, source: null}), true, nil
	}
	return newOr(kids...), true, nil
}

// daySpan is a span of days, as ends of a span of time.
type daySpan struct {
	source Predicate
	ends   []dayEnd
}

// dayEnd says how the time stands to the start of a day, or of the next one.
type dayEnd struct {
	op    Op
	value any
	next  bool
}

// dayCondition returns the column of a condition that may be one on days, and the spans of days for which it is true.
func dayCondition(p Predicate) (Column, []daySpan) {
	day := func(source Predicate, low, high any) daySpan {
		return daySpan{source, []dayEnd{{GreaterOrEqual, low, false}, {Less, high, true}}}
	}
	switch p := p.(type) {
	case Equal:
		return p.Column, []daySpan{day(p, p.Value, p.Value)}
	case In:
		spans := make([]daySpan, len(p.Values))
		for i, v := range p.Values {
			spans[i] = day(Equal{p.Column, v}, v, v)
		}
		return p.Column, spans
	case Between:
		return p.Column, []daySpan{day(p, p.Low, p.High)}
	case Compare:
		end := dayEnd{op: p.Op, value: p.Value}
		switch p.Op {
		case Greater:
			end = dayEnd{GreaterOrEqual, p.Value, true}
		case LessOrEqual:
			end = dayEnd{Less, p.Value, true}
		}
		return p.Column, []daySpan{{p, []dayEnd{end}}}
	case IsNull:
		return p.Column, nil
	}
	return Column{}, nil
}

// dayEnd returns the start of the day that a value names, or of the next one.
func (b *bound) dayEnd(v any, next bool) (whole, error) {
	t, err := dayOf(timeOfMoment(b.resolveAgo(v)))
	if next {
		t = t.AddDate(0, 0, 1)
	}
	return microsOf(t), err
}

// dayOf returns the start of the day that a value names: 20230512, 2023-05-12, or a time within it.
func dayOf(v any) (time.Time, error) {
	if t, ok := v.(time.Time); ok {
		return t.UTC().Truncate(24 * time.Hour), nil
	}
	text, ok := textOf(v)
	if n, isInt := normalValue(v).(int64); isInt && !ok {
		text = strconv.FormatInt(n, 10)
	}
	for _, layout := range []string{"20060102", time.DateOnly} {
		if t, err := time.Parse(layout, strings.TrimSpace(text)); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no day; write it like 20230512 or 2023-05-12", formatValue(v))
}
