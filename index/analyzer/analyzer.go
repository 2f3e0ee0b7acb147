// Package analyzer turns text into tokens. A token is a maximal run of Unicode letters, decimal digits and '_'; every other rune,
// and every byte that is not valid UTF-8, separates tokens. Tokens are compared without case, so they are handed out folded:
// see Fold. What a token is never depends on parameters. An Analyzer only decides which tokens an index stores; it has a stored
// name and version, so that an index built by another firn is never misread.
package analyzer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
)

// ErrUnknownAnalyzer says that a name, version or parameter of a stored analyzer is not known to this firn. An index that was
// built with it must not be used; the text itself still answers.
var ErrUnknownAnalyzer = errors.New("unknown analyzer")

// ErrInvalidParams says that parameters given by a caller make no analyzer.
var ErrInvalidParams = errors.New("invalid analyzer parameters")

// The name and version of the only analyzer so far. A change in which tokens are kept, other than by Params, takes a new version.
const (
	textName    = "text"
	textVersion = 1
)

// Defaults of Params, and its largest token length.
const (
	DefaultMaxTokenBytes = 40
	DefaultStopWords     = StopWordsNone
	DefaultMinDigits     = 3
	largestMaxTokenBytes = 255
)

// Params say which tokens an index stores. The zero value means the defaults.
type Params struct {
	// MaxTokenBytes is the length in bytes (of the folded token) above which a token is not stored; 0 means 40, at most 255.
	MaxTokenBytes int `json:"max_token_bytes,omitempty"`
	// StopWords names a list of tokens that are not stored: "none" (what "" means: with patterns they cost next to nothing) or "english+log".
	StopWords string `json:"stop_words,omitempty"`
	// MinDigits trims short numbers: a token of ASCII digits only is stored if it has at least so many; 0 means 3, 1 stores all.
	MinDigits int `json:"min_digits,omitempty"`
}

// withDefaults fills in what is zero.
func (p Params) withDefaults() Params {
	if p.MaxTokenBytes == 0 {
		p.MaxTokenBytes = DefaultMaxTokenBytes
	}
	if p.StopWords == "" {
		p.StopWords = DefaultStopWords
	}
	if p.MinDigits == 0 {
		p.MinDigits = DefaultMinDigits
	}
	return p
}

// Analyzer decides which folded tokens an index stores. It is immutable and safe for concurrent use.
type Analyzer struct {
	params Params
	stop   stopTable
}

// New returns the current analyzer with the given parameters, or ErrInvalidParams.
func New(p Params) (*Analyzer, error) {
	p = p.withDefaults()
	if p.MaxTokenBytes < 1 || p.MaxTokenBytes > largestMaxTokenBytes {
		return nil, fmt.Errorf("%w: max_token_bytes is %d; give 1 to %d", ErrInvalidParams, p.MaxTokenBytes, largestMaxTokenBytes)
	}
	if p.MinDigits < 1 {
		return nil, fmt.Errorf("%w: min_digits is %d; give 1 or more", ErrInvalidParams, p.MinDigits)
	}
	stop, ok := stopTables()[p.StopWords]
	if !ok {
		return nil, fmt.Errorf("%w: no list of stop words is called %q; give %q or %q", ErrInvalidParams, p.StopWords, StopWordsEnglishLog, StopWordsNone)
	}
	return &Analyzer{params: p, stop: stop}, nil
}

// Load returns the analyzer that an index was built with, from its stored name, version and JSON parameters. What it does not
// know exactly, down to a parameter's name, is ErrUnknownAnalyzer: such an index was built by rules that this firn cannot repeat.
func Load(name string, version int, paramsJSON []byte) (*Analyzer, error) {
	if name != textName || version != textVersion {
		return nil, fmt.Errorf("%w %q version %d: use a newer firn, or build the index again", ErrUnknownAnalyzer, name, version)
	}
	var p Params
	dec := json.NewDecoder(bytes.NewReader(paramsJSON))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&p); err != nil {
		return nil, fmt.Errorf("%w: parameters %.200q of analyzer %q version %d: %w", ErrUnknownAnalyzer, paramsJSON, name, version, err)
	}
	if dec.More() {
		return nil, fmt.Errorf("%w: parameters %.200q of analyzer %q version %d: text after the object", ErrUnknownAnalyzer, paramsJSON, name, version)
	}
	a, err := New(p)
	if err != nil {
		return nil, fmt.Errorf("%w %q version %d: %w", ErrUnknownAnalyzer, name, version, err)
	}
	return a, nil
}

// Name returns the stored name, "text".
func (a *Analyzer) Name() string { return textName }

// Version returns the stored version, 1.
func (a *Analyzer) Version() int { return textVersion }

// Params returns the parameters with all defaults filled in.
func (a *Analyzer) Params() Params { return a.params }

// Keeps says whether an index with this analyzer stores a folded token. The empty token is not stored.
func (a *Analyzer) Keeps(token []byte) bool {
	if len(token) == 0 || len(token) > a.params.MaxTokenBytes {
		return false
	}
	if len(token) < a.params.MinDigits && allDigits(token) {
		return false
	}
	return !a.stop.has(token)
}

// IsToken says whether text is one folded token, as Split hands out. Whoever looks up something else in an index learns nothing from
// not finding it.
func IsToken(text string) bool {
	simple := len(text) > 0
	for i := 0; i < len(text) && simple; i++ {
		c := text[i]
		simple = 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '_'
	}
	if simple {
		return true
	}
	tokens := Split(text)
	return len(tokens) == 1 && tokens[0] == text
}

// allDigits says whether a token is an ASCII decimal number.
func allDigits(token []byte) bool {
	for _, c := range token {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// Split returns the folded tokens of a text in their order: the query side of Scanner.
func Split(text string) []string {
	var tokens []string
	var s Scanner
	s.Reset([]byte(text))
	for {
		token, ok := s.Next()
		if !ok {
			return tokens
		}
		tokens = append(tokens, string(token))
	}
}

// stopTable finds stop words by their length; few share one.
type stopTable struct {
	byLength [][]string
}

// stopTables are the tables of all lists of stop words, by name.
var stopTables = sync.OnceValue(func() map[string]stopTable {
	tables := map[string]stopTable{}
	for name, words := range stopWords() {
		tables[name] = newStopTable(words)
	}
	return tables
})

func newStopTable(words []string) stopTable {
	var t stopTable
	for _, w := range words {
		for len(t.byLength) <= len(w) {
			t.byLength = append(t.byLength, nil)
		}
		t.byLength[len(w)] = append(t.byLength[len(w)], w)
	}
	return t
}

func (t stopTable) has(token []byte) bool {
	if len(token) >= len(t.byLength) {
		return false
	}
	for _, word := range t.byLength[len(token)] {
		if word == string(token) {
			return true
		}
	}
	return false
}
