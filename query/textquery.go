package query

import (
	"strconv"
	"strings"
	"time"
)

// String returns the question as search text with pipes, without Table, in its normal form: ParseQuery of it is q.Normalize().
func (q Query) String() string {
	q = q.Normalize()
	var b strings.Builder
	b.WriteString(text(q.Where))
	q.writeStats(&b)
	for i, s := range q.OrderBy {
		separate(&b, i, " | sort by ")
		b.WriteString(q.columnText(s.Column))
		if s.Descending {
			b.WriteString(" desc")
		}
	}
	if q.Limit != 0 {
		b.WriteString(" | limit " + strconv.Itoa(q.Limit))
	}
	for i, c := range q.Columns {
		separate(&b, i, " | fields ")
		b.WriteString(q.columnText(c))
	}
	return b.String()
}

// separate writes what stands before the element i of a list.
func separate(b *strings.Builder, i int, before string) {
	if i == 0 {
		b.WriteString(before)
	} else {
		b.WriteString(", ")
	}
}

func (q Query) writeStats(b *strings.Builder) {
	for i, a := range q.Aggregates {
		separate(b, i, " | stats ")
		b.WriteString(a.canonicalName())
		writeAs(b, a.As)
	}
	if len(q.Aggregates) == 0 && len(q.GroupBy) > 0 {
		b.WriteString(" | stats")
	}
	for i, g := range q.GroupBy {
		separate(b, i, " by ")
		b.WriteString(g.canonicalName())
		writeAs(b, g.As)
	}
}

func writeAs(b *strings.Builder, name string) {
	if name != "" {
		b.WriteString(" as " + nameText(name))
	}
}

// columnText prints a column of the answer: as stats prints it, if it is made there and has no other name.
func (q Query) columnText(c Column) string {
	if !q.isOfGroups() {
		return pipeColumn(c)
	}
	for _, g := range q.GroupBy {
		if g.As == "" && g.Name() == c.Name {
			return c.Name
		}
	}
	for _, a := range q.Aggregates {
		if a.As == "" && a.Name() == c.Name {
			return c.Name
		}
	}
	return nameText(c.Name)
}

// pipeColumn prints a column so that it is read as one behind a pipe.
func pipeColumn(c Column) string {
	name := c.String()
	if isPipeKeyword(name) {
		return quoteText(name)
	}
	return name
}

// nameText prints a name: in quotes, unless it looks like a column's.
func nameText(name string) string {
	for i, r := range name {
		if !isFieldRune(r, i == 0, false) {
			return quoteText(name)
		}
	}
	if name == "" || isPipeKeyword(name) {
		return quoteText(name)
	}
	return name
}

// isPipeKeyword says whether a word means something where columns and names stand behind a pipe.
func isPipeKeyword(word string) bool {
	switch strings.ToLower(word) {
	case "by", "as", "asc", "desc":
		return true
	}
	return false
}

// Name returns the name of the group in an answer: As, or else what search text calls it: level, attrs.pod, bucket(_timestamp, 1h).
func (g Group) Name() string {
	if g.As != "" {
		return g.As
	}
	return g.canonicalName()
}

func (g Group) canonicalName() string {
	column := pipeColumn(normalColumn(g.Column))
	if g.Every == (Interval{}) {
		return column
	}
	return "bucket(" + column + ", " + g.Every.normalize().String() + ")"
}

// Name returns the name of the aggregate in an answer: As, or else what search text calls it: count(), quantile(0.99, took).
func (a Aggregate) Name() string {
	if a.As != "" {
		return a.As
	}
	return a.canonicalName()
}

func (a Aggregate) canonicalName() string {
	args := ""
	if a.Column != (Column{}) {
		args = pipeColumn(normalColumn(a.Column))
	}
	if a.Function == FuncQuantile {
		args = formatFloat(a.Quantile, 64) + ", " + args
	}
	return string(a.Function) + "(" + args + ")"
}

// intervalUnits are the units of intervals as they are printed.
var intervalUnits = map[IntervalUnit]string{
	Second: "s", Minute: "m", Hour: "h", Day: "d", Week: "w", Month: "month", Quarter: "quarter", Year: "year",
}

// String returns the interval as search text writes it: 15m, 1h, 1month. The empty string stands for none.
func (i Interval) String() string {
	if i == (Interval{}) {
		return ""
	}
	unit, ok := intervalUnits[i.Unit]
	if !ok {
		unit = string(i.Unit)
	}
	return strconv.Itoa(i.Count) + unit
}

// agoUnits are the units in which spans of time are printed, and read (those longer than an hour are so many of 24 hours).
var agoUnits = []struct {
	name string
	span time.Duration
}{
	{"w", 7 * 24 * time.Hour},
	{"d", 24 * time.Hour},
	{"h", time.Hour},
	{"m", time.Minute},
	{"s", time.Second},
	{"ms", time.Millisecond},
	{"us", time.Microsecond},
	{"ns", time.Nanosecond},
}

// String returns the moment as search text writes it: now, now-15m, now+1h.
func (a Ago) String() string {
	switch {
	case a == 0:
		return "now"
	case a < 0:
		return "now+" + spanText(-uint64(a))
	default:
		return "now-" + spanText(uint64(a))
	}
}

// spanText prints a span of nanoseconds in the largest unit that holds it without rest.
func spanText(span uint64) string {
	for _, u := range agoUnits {
		if span%uint64(u.span) == 0 {
			return strconv.FormatUint(span/uint64(u.span), 10) + u.name
		}
	}
	return ""
}
