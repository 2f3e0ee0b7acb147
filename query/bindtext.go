package query

import (
	"fmt"

	"github.com/firnlog/firn/index/analyzer"
)

// tokenPrefixBinder fills in TokenPrefix. There is no evidence: a sidecar keeps fingerprints of tokens, and cannot list those that begin in some way.
func tokenPrefixBinder(prefix string) func(*leaf) error {
	return func(l *leaf) error {
		if l.class != classText {
			return fmt.Errorf("it holds no text that could have tokens; use Equal or Compare")
		}
		tokens := analyzer.Split(prefix)
		if len(tokens) != 1 || tokens[0] != analyzer.Fold(prefix) {
			return fmt.Errorf("%q is not one token, a run of letters, digits and _; use Contains", prefix)
		}
		l.kind, l.prefix = leafTokenPrefix, newPrefixMatcher(tokens[0])
		return nil
	}
}

// regexpBinder fills in Regexp.
func regexpBinder(expr string) func(*leaf) error {
	return func(l *leaf) (err error) {
		if l.class != classText {
			return fmt.Errorf("it holds no text that a regular expression could match; use Equal or Compare")
		}
		l.kind = leafRegexp
		l.regexp, l.evidence, err = newRegexpMatcher(expr)
		return err
	}
}
