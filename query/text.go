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

// String returns field:value. Equal on log_msg, which the text language lacks, is log_msg="value".
func (p Equal) String() string {
	text := formatValue(p.Value)
	switch {
	case text == "":
		return p.Column.String() + `:""`
	case p.Column == Col(messageColumn):
		return p.Column.String() + "=" + quoteText(text)
	default:
		return p.Column.String() + ":" + valueText(text)
	}
}

// String returns the values joined by OR.
func (p In) String() string { return p.expand().String() }

// expand returns the same condition without In.
func (p In) expand() Or {
	or := make(Or, len(p.Values))
	for i, v := range p.Values {
		or[i] = Equal{p.Column, v}
	}
	return or
}

// String returns field>=value.
func (p Compare) String() string {
	return p.Column.String() + string(p.Op) + valueText(formatValue(p.Value))
}

// String returns field:[low TO high].
func (p Between) String() string {
	return p.Column.String() + ":[" + valueText(formatValue(p.Low)) + " TO " + valueText(formatValue(p.High)) + "]"
}

// String returns NOT field:*.
func (p IsNull) String() string { return "NOT " + p.Column.String() + ":*" }

// String returns field:text*.
func (p Prefix) String() string { return p.Column.String() + ":" + valueText(p.Text) + "*" }

// String returns field:~"text".
func (p Contains) String() string { return p.Column.String() + ":~" + quoteText(p.Text) }

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

// String puts NOT before the predicate.
func (p Not) String() string {
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
	case In:
		return strength(p.expand())
	case Not, IsNull:
		return bindsNot
	default:
		return bindsTight
	}
}

// String returns the name as the text language spells it: level, attrs.pod.
func (c Column) String() string {
	name := c.Name
	if c.Key != "" {
		name += "." + c.Key
	}
	inAttrs, first := c.Name == attrsColumn && c.Key != "", true
	return escape(name, func(r rune) bool {
		needs := !isWordRune(r) && !isFieldRune(r, first, inAttrs)
		first = false
		return needs
	}) + c.Path
}

// wordText escapes a text so that it reads as one word.
func wordText(text string) string {
	colon := false
	if i := strings.IndexByte(text, ':'); i >= 0 {
		colon = i == 0 || (text[0] < '0' || text[0] > '9') && (!strings.HasPrefix(text[i:], "://") || strings.Contains(text, "$"))
	}
	escaped := escape(text, func(r rune) bool {
		return unicode.IsSpace(r) || r == '"' || r == '(' || r == ')' || r == '*' || r == '\\' || colon && r == ':'
	})
	if strings.HasPrefix(escaped, "|") {
		return `\` + escaped
	}
	return escaped
}

// valueText escapes a text so that it reads as one value behind a field's colon.
func valueText(text string) string {
	escaped := escape(text, func(r rune) bool {
		return unicode.IsSpace(r) || r == '"' || r == '(' || r == ')' || r == '*' || r == '\\'
	})
	if strings.HasPrefix(escaped, "//") {
		return `\` + escaped
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
