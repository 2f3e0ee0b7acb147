package query

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/firnlog/firn/format"
)

// record is a row as the tests know it. Cells are nil, string, bool, int64 (also days and microseconds) or float64, by column name.
type record struct {
	cells map[string]any
	attrs []Entry
}

// testSchema has a column of each type.
func testSchema() *format.Schema {
	return &format.Schema{Fields: []format.Field{
		{Name: "_timestamp", ID: 1, Type: format.TypeTimestamp, Required: true},
		{Name: "level", ID: 2, Type: format.TypeString},
		{Name: "log_msg", ID: 3, Type: format.TypeString},
		{Name: "attrs", ID: 4, Type: format.TypeStringMap, KeyID: 5, ValueID: 6},
		{Name: "status", ID: 7, Type: format.TypeInt64},
		{Name: "ok", ID: 8, Type: format.TypeBool},
		{Name: "took", ID: 9, Type: format.TypeFloat64},
		{Name: "day", ID: 10, Type: format.TypeDate},
		{Name: "small", ID: 11, Type: format.TypeInt32},
		{Name: "ratio", ID: 12, Type: format.TypeFloat32},
		{Name: "app_id", ID: 13, Type: format.TypeString},
		{Name: "host", ID: 14, Type: format.TypeString},
		{Name: "trace_id", ID: 15, Type: format.TypeString},
	}}
}

// words of random messages: some frequent, some with odd characters.
var testWords = []string{
	"the", "error", "ERROR", "connection", "Kelvin", "\u212aelvin", "stra\u017fe", "strasse", "größe", "GRÖSSE", "GRÖẞE", "日本", "a_b", "42", "404", "10.0.0.1", "x", "/var/log",
	"key=value", "né", "\xff", "\xc3", "K", "ſ", "ΣΊΣΥΦΟΣ", "σίσυφος", "d9b2d63d", "0", "E", "Ⅷ", "٣",
}

const testEpoch = 1_700_000_000_000_000 // µs

// randomRecord makes a row; many values repeat.
func randomRecord(r *rand.Rand, valid bool) record {
	rec := record{cells: map[string]any{}}
	rec.cells["_timestamp"] = testEpoch + r.Int64N(3*86_400)*1_000_000
	orNull := func(v any) any {
		if r.IntN(5) == 0 {
			return nil
		}
		return v
	}
	rec.cells["level"] = orNull([]string{"INFO", "WARN", "ERROR", "", "a long level of more than sixteen bytes"}[r.IntN(5)])
	rec.cells["log_msg"] = orNull(randomMessage(r, valid))
	rec.cells["status"] = orNull(int64(r.IntN(6) * 100))
	rec.cells["ok"] = orNull(r.IntN(2) == 0)
	rec.cells["took"] = orNull(float64(r.IntN(10)) / 4)
	rec.cells["day"] = orNull(int64(19_000 + r.IntN(4)))
	rec.cells["small"] = orNull(int64(r.IntN(5) - 2))
	rec.cells["ratio"] = orNull(float64(float32(r.IntN(5)) / 10))
	rec.cells["app_id"] = "shop"
	rec.cells["host"] = orNull("web-" + strconv.Itoa(r.IntN(40)))
	rec.cells["trace_id"] = fmt.Sprintf("%032x", r.Uint64())
	for _, key := range []string{"pod", "user.id", "n", "level"} {
		switch r.IntN(4) {
		case 0:
			rec.attrs = append(rec.attrs, Entry{Key: key, Value: []string{"a", "b-1", "500", "7.5", "", "ERROR", "x y"}[r.IntN(7)]})
		case 1:
			rec.attrs = append(rec.attrs, Entry{Key: key, Null: true})
		}
	}
	return rec
}

func randomMessage(r *rand.Rand, valid bool) string {
	var b strings.Builder
	for range r.IntN(7) {
		b.WriteString(testWords[r.IntN(len(testWords))])
		b.WriteString([]string{" ", " ", ", ", "", "=", "\n", "é"}[r.IntN(7)])
	}
	if valid {
		return strings.ToValidUTF8(b.String(), "\ufffd")
	}
	return b.String()
}

// batchOf turns records into a batch.
func batchOf(schema *format.Schema, records []record) *format.Batch {
	b := &format.Batch{Rows: len(records)}
	for _, f := range schema.Fields {
		c := format.Column{Field: f}
		if f.Type == format.TypeStringMap {
			c.Offsets = []int32{0}
		}
		for _, rec := range records {
			v := rec.cells[f.Name]
			c.Valid = append(c.Valid, v != nil)
			switch f.Type {
			case format.TypeString:
				if v == nil {
					c.Texts = append(c.Texts, nil)
				} else {
					c.Texts = append(c.Texts, append([]byte{}, v.(string)...))
				}
			case format.TypeBool:
				value, _ := v.(bool)
				c.Bools = append(c.Bools, value)
			case format.TypeFloat32, format.TypeFloat64:
				value, _ := v.(float64)
				c.Floats = append(c.Floats, value)
			case format.TypeStringMap:
				for _, e := range rec.attrs {
					c.Keys = append(c.Keys, []byte(e.Key))
					if e.Null {
						c.Values = append(c.Values, nil)
					} else {
						c.Values = append(c.Values, append([]byte{}, e.Value...))
					}
				}
				c.Offsets = append(c.Offsets, int32(len(c.Keys)))
			default:
				value, _ := v.(int64)
				c.Ints = append(c.Ints, value)
			}
		}
		if f.Type == format.TypeString || f.Type == format.TypeStringMap || !slices.Contains(c.Valid, false) {
			c.Valid = nil
		}
		b.Columns = append(b.Columns, c)
	}
	return b
}

// truth evaluates a predicate on a record, in the plainest way.
func truth(p Predicate, rec record) bool {
	switch p := p.(type) {
	case All:
		return true
	case And:
		for _, x := range p {
			if !truth(x, rec) {
				return false
			}
		}
		return true
	case Or:
		for _, x := range p {
			if truth(x, rec) {
				return true
			}
		}
		return false
	case Not:
		return !truth(p.X, rec)
	case IsNull:
		return len(rec.values(p.Column)) == 0
	case HasToken:
		return rec.any(p.Column, func(v any) bool { return naivePhrase(v, p.Text) })
	case Phrase:
		return rec.any(p.Column, func(v any) bool { return naivePhrase(v, p.Text) })
	case Prefix:
		return rec.any(p.Column, func(v any) bool { return strings.HasPrefix(v.(string), p.Text) })
	case Contains:
		return rec.any(p.Column, func(v any) bool { return bytes.Contains([]byte(v.(string)), []byte(p.Text)) })
	case TokenPrefix:
		return rec.any(p.Column, func(v any) bool {
			return slices.ContainsFunc(naiveToken.FindAllString(v.(string), -1), func(token string) bool {
				have, want := []rune(token), []rune(p.Text)
				return len(have) >= len(want) && strings.EqualFold(string(have[:len(want)]), string(want))
			})
		})
	case Regexp:
		return rec.any(p.Column, func(v any) bool { return regexp.MustCompile(p.Expr).MatchString(v.(string)) })
	case Equal:
		if p.Column.Name == "log_date" {
			return naiveDay(rec) == naiveDayText(p.Value)
		}
		return rec.any(p.Column, func(v any) bool { return naiveOrder(v, p.Value, p.Column) == 0 })
	case In:
		for _, v := range p.Values {
			if truth(Equal{p.Column, v}, rec) {
				return true
			}
		}
		return false
	case Compare:
		if p.Column.Name == "log_date" {
			order := strings.Compare(naiveDay(rec), naiveDayText(p.Value))
			return map[Op]bool{Less: order < 0, LessOrEqual: order <= 0, Greater: order > 0, GreaterOrEqual: order >= 0}[p.Op]
		}
		if ago, ok := p.Value.(Ago); ok {
			p.Value = testNow().Add(-time.Duration(ago))
		}
		return rec.any(p.Column, func(v any) bool {
			order := naiveOrder(v, p.Value, p.Column)
			return order != incomparable && map[Op]bool{Less: order < 0, LessOrEqual: order <= 0, Greater: order > 0, GreaterOrEqual: order >= 0}[p.Op]
		})
	case Between:
		return truth(Compare{p.Column, GreaterOrEqual, p.Low}, rec) && truth(Compare{p.Column, LessOrEqual, p.High}, rec)
	}
	panic(fmt.Sprintf("%T", p))
}

// testNow is what tests call now.
func testNow() time.Time { return time.UnixMicro(testEpoch + 86_400_000_000) }

// naiveDay is the day of a record's time, naiveDayText that of a value of a predicate, both as 20231114.
func naiveDay(rec record) string {
	return time.UnixMicro(rec.cells["_timestamp"].(int64)).UTC().Format("20060102")
}

func naiveDayText(v any) string { return strings.ReplaceAll(fmt.Sprint(v), "-", "") }

// values returns the values that a column reference finds in the record.
func (rec record) values(c Column) (found []any) {
	if c.Path != "" {
		if text, ok := rec.cells[c.Name].(string); ok {
			if v, ok := naiveJSON(text, c.Path); ok {
				found = append(found, v)
			}
		}
		return found
	}
	if c.Key == "" {
		if _, isColumn := rec.cells[c.Name]; !isColumn {
			return rec.values(Attr(c.Name))
		}
		if v := rec.cells[c.Name]; v != nil {
			found = append(found, v)
		}
		return found
	}
	for _, e := range rec.attrs {
		if e.Key == c.Key && !e.Null {
			found = append(found, e.Value)
		}
	}
	if v, isColumn := rec.cells[c.Key]; isColumn && v != nil {
		found = append(found, v)
	}
	return found
}

func (rec record) any(c Column, test func(any) bool) bool {
	return slices.ContainsFunc(rec.values(c), test)
}

var naiveToken = regexp.MustCompile(`[\p{L}\p{Nd}_]+`)

func naivePhrase(v any, phrase string) bool {
	have, want := naiveToken.FindAllString(v.(string), -1), naiveToken.FindAllString(phrase, -1)
	for start := 0; start+len(want) <= len(have); start++ {
		if slices.EqualFunc(have[start:start+len(want)], want, strings.EqualFold) {
			return true
		}
	}
	return false
}

// naiveNumber reads a decimal number; one that is too large is infinite.
func naiveNumber(text string) (float64, bool) {
	if !regexp.MustCompile(`^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$`).MatchString(text) {
		return 0, false
	}
	f, _ := strconv.ParseFloat(text, 64)
	return f, true
}

const incomparable = 99

// naiveOrder compares a stored value with one of a predicate.
func naiveOrder(v, with any, c Column) int {
	order := func(less, equal bool) int {
		switch {
		case less:
			return -1
		case equal:
			return 0
		}
		return 1
	}
	switch v := v.(type) {
	case string:
		switch w := with.(type) {
		case string:
			return order(v < w, v == w)
		case int, float64:
			f, ok := naiveNumber(v)
			if !ok {
				return incomparable
			}
			number := reflect.ValueOf(w).Convert(reflect.TypeFor[float64]()).Float()
			return order(f < number, f == number)
		}
	case bool:
		w := with.(bool)
		return order(!v && w, v == w)
	case float64:
		w := with.(float64)
		return order(v < w, v == w)
	case int64:
		switch w := with.(type) {
		case int:
			return order(v < int64(w), v == int64(w))
		case float64:
			return order(float64(v) < w, float64(v) == w)
		case time.Time:
			stored := time.UnixMicro(v)
			if c.Name == "day" {
				stored = time.Unix(v*86400, 0)
			}
			return stored.Compare(w)
		}
	}
	return incomparable
}

// randomPredicate makes a predicate over the columns of testSchema.
func randomPredicate(r *rand.Rand, depth int) Predicate {
	return randomPredicateOf(r, depth, randomLeaf)
}

func randomPredicateOf(r *rand.Rand, depth int, leaf func(r *rand.Rand) Predicate) Predicate {
	if depth > 0 && r.IntN(3) > 0 {
		list := make([]Predicate, 1+r.IntN(3))
		for i := range list {
			list[i] = randomPredicateOf(r, depth-1, leaf)
		}
		switch r.IntN(3) {
		case 0:
			return And(list)
		case 1:
			return Or(list)
		default:
			return Not{list[0]}
		}
	}
	return leaf(r)
}

func randomLeaf(r *rand.Rand) Predicate {
	texts := []Column{Col("log_msg"), Col("log_msg"), Col("log_msg"), Col("level"), Attr("pod"), Col("user.id"), Attr("level")}
	word := func() string {
		for {
			if w := testWords[r.IntN(len(testWords))]; naiveToken.MatchString(w) {
				return w
			}
		}
	}
	column := texts[r.IntN(len(texts))]
	op := []Op{Less, LessOrEqual, Greater, GreaterOrEqual}[r.IntN(4)]
	switch r.IntN(23) {
	case 18:
		prefix := []rune(naiveToken.FindString(word()))
		return TokenPrefix{column, string(prefix[:1+r.IntN(len(prefix))])}
	case 19, 20:
		return Regexp{column, randomExpr(r)}
	case 21:
		return Compare{Col("_timestamp"), op, Ago(r.Int64N(4*86_400_000_000_000) - 2*86_400_000_000_000)}
	case 22:
		day := time.UnixMicro(testEpoch + r.Int64N(4*86_400)*1_000_000).UTC()
		value := []any{day.Format("20060102"), day.Format(time.DateOnly)}[r.IntN(2)]
		switch r.IntN(3) {
		case 0:
			return Equal{Col("log_date"), value}
		case 1:
			return In{Col("log_date"), []any{value, "20231114"}}
		}
		return Compare{Col("log_date"), op, value}
	case 16:
		return Equal{Col("host"), "web-" + strconv.Itoa(r.IntN(45))}
	case 17:
		return HasToken{Col("host"), strconv.Itoa(r.IntN(45))}
	case 0:
		return All{}
	case 1, 2, 3:
		return HasToken{Col("log_msg"), word()}
	case 4:
		return HasToken{column, word()}
	case 5, 6:
		return Phrase{Col("log_msg"), word() + " " + word()}
	case 7:
		return Prefix{column, []string{"", "E", "ERR", "the", "a", "日", "a long level of more than s", "b-"}[r.IntN(8)]}
	case 8:
		return Contains{column, []string{"", "o", "rror", "error ", " the error", "42", "日本", "=", "\xc3", ", x"}[r.IntN(10)]}
	case 9:
		return IsNull{[]Column{Col("log_msg"), Col("level"), Attr("pod"), Col("status"), Col("ok"), Col("took"), Attr("level"), Attr("none"), Col("_timestamp")}[r.IntN(9)]}
	case 10:
		values := []any{"ERROR", "", "a", "b-1", "500", "a long level of more than sixteen bytes", "nowhere", "x y"}
		if r.IntN(2) == 0 {
			return Equal{column, values[r.IntN(len(values))]}
		}
		return In{column, values[:r.IntN(len(values))]}
	case 11:
		return Compare{column, op, []any{"ERROR", "INFO", "", "b"}[r.IntN(4)]}
	case 12:
		return Compare{Attr([]string{"n", "pod"}[r.IntN(2)]), op, []any{5, 500, 0}[r.IntN(3)]}
	case 13:
		return randomNumberLeaf(r, op)
	case 14:
		t := time.UnixMicro(testEpoch + r.Int64N(4*86_400)*1_000_000).Add(time.Duration(r.IntN(2)))
		if r.IntN(2) == 0 {
			return Compare{Col("_timestamp"), op, t}
		}
		return Between{Col("_timestamp"), t, t.Add(time.Duration(r.Int64N(int64(24 * time.Hour))))}
	default:
		return Compare{Col("day"), op, time.Unix((19_000+r.Int64N(4))*86_400+r.Int64N(2)*7, 0)}
	}
}

// randomExpr makes a regular expression over testWords, of which some match something.
func randomExpr(r *rand.Rand) string {
	var b strings.Builder
	if r.IntN(3) == 0 {
		b.WriteString([]string{"(?i)", "^", "(?m)^", `\b`}[r.IntN(4)])
	}
	for i := range 1 + r.IntN(3) {
		if i > 0 {
			b.WriteString([]string{"", " ", ".*", `\s+`, `[ =,]`, ".", `\W`, "$|^", `(?:\s|^)`, "|", `\b`}[r.IntN(11)])
		}
		word := strings.ToValidUTF8(testWords[r.IntN(len(testWords))], "\ufffd")
		runes := []rune(word)
		from := r.IntN(len(runes))
		part := regexp.QuoteMeta(string(runes[from : from+1+r.IntN(len(runes)-from)]))
		switch r.IntN(8) {
		case 0:
			b.WriteString("(?i:" + part + ")")
		case 1:
			b.WriteString("(" + part + "|" + regexp.QuoteMeta(strings.ToValidUTF8(testWords[r.IntN(len(testWords))], "")) + ")")
		case 2:
			b.WriteString("(" + part + ")" + []string{"?", "+", "*", "{2}", "{1,3}"}[r.IntN(5)])
		case 3:
			b.WriteString([]string{`[0-9a-f]{2,}`, "[Ee]", "[ks]", "(?i:k|s)", `\d+`, `\pL+`, "[^ ]"}[r.IntN(7)])
		default:
			b.WriteString(part)
		}
	}
	return b.String()
}

func randomNumberLeaf(r *rand.Rand, op Op) Predicate {
	switch r.IntN(7) {
	case 0:
		return Compare{Col("status"), op, r.IntN(7) * 100}
	case 1:
		return Compare{Col("status"), op, float64(r.IntN(7)*100) - 0.5}
	case 2:
		return In{Col("small"), []any{0, 2, r.IntN(5)}}
	case 3:
		return Between{Col("took"), 0.25 * float64(r.IntN(5)), 0.25 * float64(r.IntN(10))}
	case 4:
		return Equal{Col("ok"), r.IntN(2) == 0}
	case 5:
		return Equal{Col("ratio"), float64(float32(r.IntN(5)) / 10)}
	default:
		return Equal{Col("status"), 200}
	}
}
