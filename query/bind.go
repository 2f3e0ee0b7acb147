package query

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/firnlog/firn/format"
	"github.com/firnlog/firn/index/analyzer"
)

// bound is a request's predicate, From and To included, bound to a schema.
type bound struct {
	schema *format.Schema
	now    time.Time // what Ago is before
	root   node
	leaves []*leaf
}

// bind checks a predicate against a schema. Moments are relative to now.
func bind(schema *format.Schema, p Predicate, from, to, now time.Time) (*bound, error) {
	b := &bound{schema: schema, now: now}
	if p == nil {
		p = All{}
	}
	root, err := b.bind(p)
	if err != nil {
		return nil, err
	}
	window, err := b.window(from, to)
	if err != nil {
		return nil, err
	}
	b.root = newAnd(window, root)
	return b, nil
}

// window returns the condition that the timestamp lies in [from, to).
func (b *bound) window(from, to time.Time) (node, error) {
	if from.IsZero() && to.IsZero() {
		return constNode(true), nil
	}
	f, ok := b.schema.Lookup(timestampColumn)
	if !ok || f.Type != format.TypeTimestamp {
		return nil, fmt.Errorf("%w: from and to need a timestamp column called %s, and the table has none", ErrInvalidRequest, timestampColumn)
	}
	var source And
	span := interval{math.MinInt64, math.MaxInt64}
	if !from.IsZero() {
		span = span.and(compareWhole(GreaterOrEqual, microsOf(from)))
		source = append(source, Compare{Col(timestampColumn), GreaterOrEqual, from})
	}
	if !to.IsZero() {
		span = span.and(compareWhole(Less, microsOf(to)))
		source = append(source, Compare{Col(timestampColumn), Less, to})
	}
	l := leaf{kind: leafRange, class: classWhole, field: f, whole: span, source: source}
	if len(source) == 1 {
		l.source = source[0]
	}
	return b.add(l), nil
}

// add gives a leaf its number. A leaf that no value can satisfy becomes false.
func (b *bound) add(l leaf) node {
	if l.kind == leafRange && l.class == classWhole && l.whole.low > l.whole.high || l.kind == leafIn && len(l.wholes)+len(l.floats)+len(l.texts) == 0 {
		return constNode(false)
	}
	l.id = len(b.leaves)
	b.leaves = append(b.leaves, &l)
	return &l
}

func (b *bound) bind(p Predicate) (node, error) {
	if n, ok, err := b.bindDay(p); ok {
		return n, err
	}
	switch p := p.(type) {
	case All:
		return constNode(true), nil
	case And:
		list, err := b.bindAll(p)
		return newAnd(list...), err
	case Or:
		list, err := b.bindAll(p)
		return newOr(list...), err
	case Not:
		x, err := b.bind(p.X)
		if err != nil {
			return nil, err
		}
		return newNot(x), nil
	case HasToken:
		return b.bindLeaf(p.Column, p, tokensBinder(p.Text, false))
	case Phrase:
		return b.bindLeaf(p.Column, p, tokensBinder(p.Text, true))
	case Equal:
		return b.bindLeaf(p.Column, p, inBinder([]any{p.Value}))
	case In:
		return b.bindLeaf(p.Column, p, inBinder(p.Values))
	case Compare:
		return b.bindLeaf(p.Column, p, compareBinder(p.Op, b.resolveAgo(p.Value)))
	case Between:
		return b.bindLeaf(p.Column, p, betweenBinder(b.resolveAgo(p.Low), b.resolveAgo(p.High)))
	case IsNull:
		return b.bindLeaf(p.Column, p, func(l *leaf) error { l.kind = leafNull; return nil })
	case Prefix:
		return b.bindLeaf(p.Column, p, needleBinder(leafPrefix, p.Text))
	case HasPattern:
		return b.bindLeaf(p.Column, p, patternBinder(p.ID))
	case Contains:
		return b.bindLeaf(p.Column, p, needleBinder(leafContains, p.Text))
	case TokenPrefix:
		return b.bindLeaf(p.Column, p, tokenPrefixBinder(p.Text))
	case Regexp:
		return b.bindLeaf(p.Column, p, regexpBinder(p.Expr))
	case nil:
		return nil, fmt.Errorf("%w: a predicate is missing (nil) in And, Or or Not", ErrInvalidRequest)
	default:
		return nil, fmt.Errorf("%w: %T is no predicate; give the struct itself, no pointer", ErrInvalidRequest, p)
	}
}

func (b *bound) bindAll(list []Predicate) ([]node, error) {
	nodes := make([]node, len(list))
	for i, p := range list {
		var err error
		if nodes[i], err = b.bind(p); err != nil {
			return nil, err
		}
	}
	return nodes, nil
}

// bindLeaf makes the leaf, or, where a name means two places, the leaves of a predicate on a column.
func (b *bound) bindLeaf(c Column, p Predicate, fill func(*leaf) error) (node, error) {
	places, err := b.resolve(c)
	if err != nil {
		return nil, err
	}
	var nodes []node
	for i, place := range places {
		l := place
		l.source = p
		l.class = classOf(l)
		if err := fill(&l); err != nil {
			if i > 0 {
				continue // the other place of that name has another type, so it has no such value
			}
			return nil, fmt.Errorf("%w: %s: column %s: %w", ErrInvalidRequest, p, describe(l), err)
		}
		if !l.path.IsZero() {
			l.evidence = nil // escapes hide tokens of the value from those of the text
		}
		nodes = append(nodes, b.add(l))
	}
	if _, isNull := p.(IsNull); isNull {
		return newAnd(nodes...), nil
	}
	return newOr(nodes...), nil
}

// resolve returns leaves that name the places a column means: one, or a key of attrs and the column of that name.
func (b *bound) resolve(c Column) ([]leaf, error) {
	if c.Path != "" {
		return b.resolvePath(c)
	}
	f, found := b.schema.Lookup(c.Name)
	if c.Key == "" && !found {
		name, key, dotted := strings.Cut(c.Name, ".")
		if m, ok := b.schema.Lookup(name); ok && dotted && key != "" && m.Type == format.TypeStringMap {
			return b.resolve(Column{Name: name, Key: key})
		}
		m, ok := b.schema.Lookup(attrsColumn)
		if !ok || m.Type != format.TypeStringMap {
			return nil, fmt.Errorf("%w: the table has no column %q; it has %s", ErrInvalidRequest, c.Name, b.columnNames())
		}
		return []leaf{{field: m, inMap: true, key: []byte(c.Name)}}, nil
	}
	switch {
	case !found:
		return nil, fmt.Errorf("%w: the table has no column %q; it has %s", ErrInvalidRequest, c.Name, b.columnNames())
	case f.Type == format.TypeUnsupported:
		return nil, fmt.Errorf("%w: column %q has a type that firn cannot read", ErrInvalidRequest, c.Name)
	case c.Key == "" && f.Type == format.TypeStringMap:
		return nil, fmt.Errorf("%w: column %q is a map; name one of its keys, like %s.key", ErrInvalidRequest, c.Name, c.Name)
	case c.Key == "":
		return []leaf{{field: f}}, nil
	case f.Type != format.TypeStringMap:
		return nil, fmt.Errorf("%w: column %q is no map, it has no key %q", ErrInvalidRequest, c.Name, c.Key)
	}
	places := []leaf{{field: f, inMap: true, key: []byte(c.Key)}}
	if other, ok := b.schema.Lookup(c.Key); ok && c.Name == attrsColumn && other.Type != format.TypeStringMap && other.Type != format.TypeUnsupported {
		places = append(places, leaf{field: other})
	}
	return places, nil
}

func (b *bound) columnNames() string {
	names := make([]string, 0, len(b.schema.Fields))
	for _, f := range b.schema.Fields {
		if f.Type != format.TypeUnsupported {
			names = append(names, f.Name)
		}
	}
	return strings.Join(names, ", ")
}

func classOf(l leaf) leafClass {
	switch l.field.Type {
	case format.TypeString, format.TypeStringMap:
		return classText
	case format.TypeFloat32, format.TypeFloat64:
		return classFloat
	default:
		return classWhole
	}
}

// describe names a leaf's place and type for messages.
func describe(l leaf) string {
	if !l.path.IsZero() {
		return fmt.Sprintf("%q, JSON path %s", l.field.Name, l.path)
	}
	if l.inMap {
		return fmt.Sprintf("%q, key %q", l.field.Name, l.key)
	}
	types := map[format.Type]string{
		format.TypeString: "string", format.TypeBool: "bool", format.TypeInt32: "int", format.TypeInt64: "long", format.TypeFloat32: "float",
		format.TypeFloat64: "double", format.TypeTimestamp: "timestamp", format.TypeDate: "date",
	}
	return fmt.Sprintf("%q (%s)", l.field.Name, types[l.field.Type])
}

// tokensBinder fills in HasToken and Phrase. A phrase on a column that is no text is Equal.
func tokensBinder(text string, phrase bool) func(*leaf) error {
	return func(l *leaf) error {
		if l.class != classText {
			if phrase {
				return inBinder([]any{text})(l)
			}
			return fmt.Errorf("it holds no text that could have tokens; use Equal or Compare")
		}
		tokens := analyzer.Split(text)
		if len(tokens) == 0 {
			return fmt.Errorf("%q has no letter, digit or _, so there is no token to look for; use Contains", text)
		}
		l.kind, l.tokens, l.evidence = leafTokens, newTokenMatcher(tokens), [][]string{distinct(tokens)}
		return nil
	}
}

func distinct(tokens []string) []string {
	tokens = slices.Clone(tokens)
	slices.Sort(tokens)
	return slices.Compact(tokens)
}

// inBinder fills in Equal and In.
func inBinder(values []any) func(*leaf) error {
	return func(l *leaf) error {
		l.kind = leafIn
		l.wholes, l.texts = map[int64]struct{}{}, map[string]struct{}{}
		complete := true
		for _, v := range values {
			if v == nil {
				return fmt.Errorf("nil is no value; use IsNull")
			}
			if _, ok := v.(Ago); ok {
				return fmt.Errorf("%v is for comparisons; use Compare", v)
			}
			tokens, err := l.addValue(v)
			if err != nil {
				return err
			}
			complete = complete && len(tokens) > 0
			l.evidence = append(l.evidence, tokens)
		}
		if !complete {
			l.evidence = nil
		}
		return nil
	}
}

// addValue adds a value to the set of a leafIn, and returns its tokens if it is text.
func (l *leaf) addValue(v any) ([]string, error) {
	switch l.class {
	case classText:
		text, err := toText(v)
		if err != nil {
			return nil, err
		}
		l.texts[text] = struct{}{}
		return distinct(analyzer.Split(text)), nil
	case classFloat:
		f, err := toFloat(l.field.Type, v)
		if err != nil {
			return nil, err
		}
		if !math.IsNaN(f) { // NaN equals nothing
			l.floats = append(l.floats, f)
		}
	default:
		w, err := toWhole(l.field.Type, v)
		if err != nil {
			return nil, err
		}
		if !w.exact || w.below {
			if _, isText := textOf(v); isText && l.field.Type != format.TypeTimestamp && l.field.Type != format.TypeDate {
				return nil, fmt.Errorf("%q is no whole number that fits into 64 bits", v)
			}
			return nil, nil // no stored value equals it
		}
		l.wholes[w.floor] = struct{}{}
	}
	return nil, nil
}

// compareBinder fills in Compare.
func compareBinder(op Op, v any) func(*leaf) error {
	return func(l *leaf) error {
		switch op {
		case Less, LessOrEqual:
			return l.setRange(nil, v, false, op == Less)
		case Greater, GreaterOrEqual:
			return l.setRange(v, nil, op == Greater, false)
		}
		return fmt.Errorf("%q is no operator; use <, <=, > or >=", op)
	}
}

// betweenBinder fills in Between.
func betweenBinder(low, high any) func(*leaf) error {
	return func(l *leaf) error {
		if low == nil || high == nil {
			return fmt.Errorf("an end of the range is missing (nil); use Compare")
		}
		return l.setRange(low, high, false, false)
	}
}

// setRange makes the leaf a range with two ends or one. A nil end is open.
func (l *leaf) setRange(low, high any, openLow, openHigh bool) (err error) {
	if low == nil && high == nil {
		return fmt.Errorf("nil is no value; use IsNull")
	}
	if err := l.checkMoments(low, high); err != nil {
		return err
	}
	low, high = timeOfMoment(low), timeOfMoment(high)
	l.kind = leafRange
	if l.class == classText && l.inMap && (isNumber(low) || isNumber(high)) {
		l.class = classNumber
	}
	switch l.class {
	case classText:
		l.text = textRange{openLow: openLow, openHigh: openHigh, noHigh: high == nil}
		if low != nil {
			l.text.low, err = toText(low)
		}
		if high != nil && err == nil {
			l.text.high, err = toText(high)
		}
	case classWhole:
		l.whole, err = wholeRange(l.field.Type, low, high, openLow, openHigh)
	default:
		l.float = floatRange{low: math.Inf(-1), high: math.Inf(1), openLow: openLow, openHigh: openHigh}
		if low != nil {
			l.float.low, err = toFloat(l.field.Type, low)
		}
		if high != nil && err == nil {
			l.float.high, err = toFloat(l.field.Type, high)
		}
	}
	return err
}

func wholeRange(t format.Type, low, high any, openLow, openHigh bool) (interval, error) {
	span := interval{math.MinInt64, math.MaxInt64}
	if low != nil {
		w, err := toWhole(t, low)
		if err != nil {
			return span, err
		}
		op := GreaterOrEqual
		if openLow {
			op = Greater
		}
		span = span.and(compareWhole(op, w))
	}
	if high != nil {
		w, err := toWhole(t, high)
		if err != nil {
			return span, err
		}
		op := LessOrEqual
		if openHigh {
			op = Less
		}
		span = span.and(compareWhole(op, w))
	}
	return span, nil
}

// patternBinder fills in HasPattern.
func patternBinder(id PatternID) func(*leaf) error {
	return func(l *leaf) error {
		if l.class != classText || l.inMap {
			return fmt.Errorf("it is no column of text; patterns are of those")
		}
		l.kind, l.pattern = leafPattern, uint64(id)
		return nil
	}
}

// needleBinder fills in Prefix and Contains.
func needleBinder(kind leafKind, needle string) func(*leaf) error {
	return func(l *leaf) error {
		if l.class != classText {
			return fmt.Errorf("it holds no text")
		}
		l.kind, l.needle = kind, []byte(needle)
		if tokens := innerTokens(needle, kind == leafPrefix); len(tokens) > 0 {
			l.evidence = [][]string{tokens}
		}
		return nil
	}
}
