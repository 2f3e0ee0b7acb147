package query

// Column names what a predicate looks at: a column of the table, or one key of a map column.
type Column struct {
	// Name is the name of a column. A name that is no column of the table means the key of that name in the column "attrs".
	Name string
	// Key is a key of the map column called Name; empty for a plain column. If attrs is asked for a key which is also the
	// name of a column, both places are looked at, because loading moves such entries to the column.
	Key string
	// Path is a JSON path within the texts of the column called Name; empty for the texts themselves. See JSONPath.
	Path string
}

// Col names a column, or, if the table has no such column, a key of attrs.
func Col(name string) Column { return Column{Name: name} }

// Attr names a key of the column attrs.
func Attr(key string) Column { return Column{Name: attrsColumn, Key: key} }

// Names of the columns that the text language knows.
const (
	attrsColumn     = "attrs"
	messageColumn   = "log_msg"
	timestampColumn = "_timestamp"
	patternField    = "_pattern" // no column: the pattern of log_msg, or, followed by a dot and a name, of another column
)

// Predicate is a condition on one row. The implementations are All, HasToken, TokenPrefix, Phrase, Equal, In, Compare, Between, IsNull, Prefix,
// Contains, Regexp, HasPattern, And, Or and Not. A predicate is checked against a table's schema when a search is planned.
//
// Values of Equal, In, Compare and Between may be of any Go type that denotes a value of the column's type without loss, or text that does: "500" for a long
// column, "2026-11-22T10:00:00Z" or a time.Time for a timestamp. An attrs value is text; Compare and Between with a
// Go number compare it as a number, and are false for text that is none. Compare and Between of a time may be given an Ago.
//
// Col("log_date") in Equal, In, Compare, Between and IsNull, where the table has no such column, is the UTC day of _timestamp, written 20230512 or 2023-05-12.
type Predicate interface {
	// String returns the predicate in the text language of Parse, so that it parses to a predicate of the same normal form (see Normalize) again.
	String() string
	predicate()
}

// All is true for every row.
type All struct{}

// HasToken is true if one of the tokens of the column's text is the token in Text. A token is a maximal run of letters, digits and _,
// compared without case. A Text of several tokens means a Phrase; a Text without a token is an error.
type HasToken struct {
	Column Column
	Text   string
}

// Phrase is true if the tokens of Text stand next to each other in that order in the column's text.
type Phrase struct {
	Column Column
	Text   string
}

// Equal is true if the column holds exactly this value.
type Equal struct {
	Column Column
	Value  any
}

// In is true if the column holds one of the values.
type In struct {
	Column Column
	Values []any
}

// Op is an operator of Compare.
type Op string

// The operators of Compare.
const (
	Less           Op = "<"
	LessOrEqual    Op = "<="
	Greater        Op = ">"
	GreaterOrEqual Op = ">="
)

// Compare is true if the column's value stands in this order to Value. Texts are ordered by their bytes, false before true.
type Compare struct {
	Column Column
	Op     Op
	Value  any
}

// Between is true if Low <= value <= High.
type Between struct {
	Column    Column
	Low, High any
}

// IsNull is true if the column has no value in that row, or attrs lacks the key or holds null for it.
type IsNull struct {
	Column Column
}

// Prefix is true if the column's text starts with these bytes; case counts.
type Prefix struct {
	Column Column
	Text   string
}

// Contains is true if the column's text contains these bytes; case counts.
type Contains struct {
	Column Column
	Text   string
}

// TokenPrefix is true if one of the tokens of the column's text begins with Text, compared without case. Text is one token. Token indexes do not help: they cannot
// list tokens.
type TokenPrefix struct {
	Column Column
	Text   string
}

// Regexp is true if the regular expression Expr (RE2 syntax, as package regexp reads it) matches somewhere in the column's text. An invalid UTF-8 byte of the text
// is U+FFFD to it. Literals that every match needs are looked up in indexes, as far as they are whole tokens, and are looked for in the text first. Expressions of
// more than 8 KiB, or of more than 5,000 steps with their repetitions written out, are refused.
type Regexp struct {
	Column Column
	Expr   string
}

// HasPattern is true if the column's text has this pattern: see Pattern. The column must be one of text, not a key of attrs.
type HasPattern struct {
	Column Column
	ID     PatternID
}

// And is true if all of its predicates are; an empty And is true.
type And []Predicate

// Or is true if one of its predicates is; an empty Or is false.
type Or []Predicate

// Not is true if X is false.
type Not struct {
	X Predicate
}

func (All) predicate()         {}
func (HasToken) predicate()    {}
func (Phrase) predicate()      {}
func (HasPattern) predicate()  {}
func (Equal) predicate()       {}
func (In) predicate()          {}
func (Compare) predicate()     {}
func (Between) predicate()     {}
func (IsNull) predicate()      {}
func (Prefix) predicate()      {}
func (TokenPrefix) predicate() {}
func (Regexp) predicate()      {}
func (Contains) predicate()    {}
func (And) predicate()         {}
func (Or) predicate()          {}
func (Not) predicate()         {}
