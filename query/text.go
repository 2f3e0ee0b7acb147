package query

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Binding strengths of printed predicates.
const (
	bindsOr = iota
	bindsAnd
	bindsNot
	bindsTight
)

// String returns *.
func (All) String() string { return "*" }

// String returns a word, or for other columns than log_msg a phrase.
func (p HasToken) String() string {
	switch {
	case p.Text == "":
		return `""`
	case p.Column != Col(messageColumn):
		return Phrase(p).String()
	case p.Text == "AND" || p.Text == "OR" || p.Text == "NOT":
		return messageColumn + ":" + p.Text
	default:
		return wordText(p.Text)
	}
}

// String returns a text in quotes.
func (p Phrase) String() string {
	if p.Column == Col(messageColumn) {
		return quoteText(p.Text)
	}
	return p.Column.String() + ":" + quoteText(p.Text)
}

// String returns field:value; on log_msg log_msg:="value".
func (p Equal) String() string {
	text := formatValue(p.Value)
	switch {
	case p.Column == Col(messageColumn), p.Column.Path == "" && patternColumnOf(p.Column.Name) != "":
		return p.Column.String() + ":=" + quoteText(text)
	case text == "":
		return p.Column.String() + `:""`
	default:
		return p.Column.String() + ":" + valueText(text)
	}
}

// String returns field:in(a, "b c").
func (p In) String() string {
	var b strings.Builder
	b.WriteString(p.Column.String() + ":in(")
	for i, v := range p.Values {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(listText(formatValue(v)))
	}
	return b.String() + ")"
}

// listText prints a value of a list: in quotes, unless it is a plain word, number or name.
func listText(text string) string {
	if text == "" || strings.ContainsFunc(text, func(r rune) bool { return !isWordRune(r) && !strings.ContainsRune("-.:@+/", r) || r == utf8.RuneError }) {
		return quoteText(text)
	}
	return text
}

// String returns field>=value, or last 15m.
func (p Compare) String() string {
	if ago, ok := p.Value.(Ago); ok && ago > 0 && p.Op == GreaterOrEqual && p.Column == Col(timestampColumn) {
		return "last " + spanText(uint64(ago))
	}
	column := p.Column.String()
	if name, ok := strings.CutSuffix(column, "-"); ok && p.Column.Path == "" {
		column = name + `\-` // no arrow
	}
	return column + string(p.Op) + operandText(p.Value)
}

// String returns field:[low TO high].
func (p Between) String() string {
	return p.Column.String() + ":[" + operandText(p.Low) + " TO " + operandText(p.High) + "]"
}

// operandText prints a value of Compare or Between: numbers, times and moments as they are, other texts in quotes.
func operandText(v any) string {
	v = normalValue(v)
	text := formatValue(v)
	if _, isText := v.(string); !isText {
		return text
	}
	if same, ok := bareOperand(text); ok && same == v && !strings.ContainsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || r == '\\' }) {
		return text
	}
	return quoteText(text)
}

// String returns NOT field:*.
func (p IsNull) String() string { return "NOT " + p.Column.String() + ":*" }

// String returns field:text*; on log_msg log_msg:="text"*.
func (p Prefix) String() string {
	if p.Text == "" || p.Column == Col(messageColumn) {
		return p.Column.String() + ":=" + quoteText(p.Text) + "*"
	}
	return p.Column.String() + ":" + valueText(p.Text) + "*"
}

// String returns field:~"text"; of log_msg ~"text".
func (p Contains) String() string {
	if p.Column == Col(messageColumn) {
		return "~" + quoteText(p.Text)
	}
	return p.Column.String() + ":~" + quoteText(p.Text)
}

// String returns text*; of other columns than log_msg field:"text"*.
func (p TokenPrefix) String() string {
	plain := p.Text != "" && !strings.ContainsFunc(p.Text, func(r rune) bool { return !isWordRune(r) || r == utf8.RuneError })
	switch {
	case p.Column != Col(messageColumn):
		return p.Column.String() + ":" + quoteText(p.Text) + "*"
	case plain:
		return p.Text + "*"
	default:
		return quoteText(p.Text) + "*"
	}
}

// String returns /expr/; of other columns than log_msg field:/expr/.
func (p Regexp) String() string {
	expr := "/" + strings.ReplaceAll(normalExpr(p.Expr), "/", `\/`) + "/"
	if p.Column == Col(messageColumn) {
		return expr
	}
	return p.Column.String() + ":" + expr
}

// String returns _pattern:id, or for other columns than log_msg _pattern.column:id.
func (p HasPattern) String() string {
	if p.Column == Col(messageColumn) {
		return patternField + ":" + p.ID.String()
	}
	return patternField + "." + p.Column.String() + ":" + p.ID.String()
}

// String joins the predicates by AND.
func (p And) String() string {
	if len(p) == 0 {
		return All{}.String()
	}
	return join(p, " AND ", bindsAnd)
}

// String joins the predicates by OR.
func (p Or) String() string {
	if len(p) == 0 {
		return "NOT *"
	}
	return join(p, " OR ", bindsOr)
}

// String puts NOT before the predicate; of IsNull it is field:*.
func (p Not) String() string {
	if null, ok := p.X.(IsNull); ok {
		return null.Column.String() + ":*"
	}
	if strength(p.X) < bindsNot {
		return "NOT (" + text(p.X) + ")"
	}
	return "NOT " + text(p.X)
}

func join(list []Predicate, operator string, binds int) string {
	if len(list) == 1 {
		return text(list[0])
	}
	parts := make([]string, len(list))
	for i, p := range list {
		parts[i] = text(p)
		if strength(p) <= binds {
			parts[i] = "(" + parts[i] + ")"
		}
	}
	return strings.Join(parts, operator)
}

// text is String for predicates that may be missing.
func text(p Predicate) string {
	if p == nil {
		return "<nil>"
	}
	return p.String()
}

// strength says how tightly the printed predicate binds.
func strength(p Predicate) int {
	switch p := p.(type) {
	case And:
		switch len(p) {
		case 0:
			return bindsTight
		case 1:
			return strength(p[0])
		}
		return bindsAnd
	case Or:
		switch len(p) {
		case 0:
			return bindsNot
		case 1:
			return strength(p[0])
		}
		return bindsOr
	case Not:
		if _, exists := p.X.(IsNull); exists {
			return bindsTight
		}
		return bindsNot
	case IsNull:
		return bindsNot
	default:
		return bindsTight
	}
}

// String returns the name as the text language spells it: level, attrs.pod, "größe".
func (c Column) String() string {
	name := c.Name
	if c.Key != "" {
		name += "." + c.Key
	}
	inAttrs, first, quote := c.Name == attrsColumn && c.Key != "", true, name == ""
	escaped := escape(name, func(r rune) bool {
		needs := !isFieldRune(r, first, inAttrs && !first)
		quote = quote || needs && isWordRune(r) // where a backslash stands for itself
		first = false
		return needs
	})
	if quote {
		escaped = quoteText(name)
	}
	return escaped + c.Path
}

// wordText escapes a text so that it reads as one word.
func wordText(text string) string {
	colon := false
	if i := strings.IndexByte(text, ':'); i >= 0 {
		colon = i == 0 || (text[0] < '0' || text[0] > '9') && (!strings.HasPrefix(text[i:], "://") || strings.Contains(text, "$"))
	}
	escaped := escape(text, func(r rune) bool { return isDelimiter(r) || r == '<' || r == '>' || colon && r == ':' })
	if strings.HasPrefix(escaped, "|") || strings.HasPrefix(escaped, "-") || mayBeRegexp(escaped) || isLoneOperator(escaped) {
		return `\` + escaped
	}
	return escaped
}

// isDelimiter says whether a rune ends words and values or means something in them.
func isDelimiter(r rune) bool {
	return unicode.IsSpace(r) || r == '"' || r == '(' || r == ')' || r == '*' || r == '\\'
}

// mayBeRegexp says whether a text may be read as the beginning of a regular expression, depending on what follows: there is no second slash, or one that ends it.
func mayBeRegexp(escaped string) bool {
	if !strings.HasPrefix(escaped, "/") {
		return false
	}
	for i := 1; i < len(escaped); i++ {
		switch escaped[i] {
		case '\\':
			i++
		case '/':
			return i+1 == len(escaped)
		}
	}
	return true
}

// valueText escapes a text so that it reads as one value behind a field's colon.
func valueText(text string) string {
	escaped := escape(text, isDelimiter)
	if escaped != "" {
		openRange := strings.IndexByte("[{", escaped[0]) >= 0 && !strings.ContainsAny(escaped, "]}") // what follows may close it
		if openRange || strings.HasPrefix(escaped, "//") || strings.IndexByte("<>", escaped[0]) >= 0 || mayBeRegexp(escaped) {
			return `\` + escaped
		}
	}
	return escaped
}

// quoteText puts a text in quotes.
func quoteText(text string) string {
	return `"` + escape(text, func(r rune) bool { return r == '"' || r == '\\' }) + `"`
}

// escape puts a backslash before the runes that need one. Invalid bytes stay as they are.
func escape(text string, needs func(rune) bool) string {
	var b strings.Builder
	from := 0
	for i, r := range text {
		if needs(r) {
			b.WriteString(text[from:i])
			b.WriteByte('\\')
			from = i
		}
	}
	b.WriteString(text[from:])
	return b.String()
}

// formatValue prints a value of Equal, In, Compare or Between.
func formatValue(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case []byte:
		return string(v)
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano)
	case Ago:
		return v.String()
	case float64:
		return formatFloat(v, 64)
	case float32:
		return formatFloat(float64(v), 32)
	default:
		return fmt.Sprint(v)
	}
}

// formatFloat prints a number in the shortest form that reads back to it, with an exponent where JSON has one.
func formatFloat(f float64, bits int) string {
	format := byte('f')
	if abs := math.Abs(f); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	return strconv.FormatFloat(f, format, -1, bits)
}
