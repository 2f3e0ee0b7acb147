package main

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/firnlog/firn"
	"github.com/firnlog/firn/query"
)

// tasksSQL returns a query that counts the matching rows in what pruning left: only these files, only these rows, and the rest of the condition.
func tasksSQL(tasks []firn.Task) (string, error) {
	var files, conditions []string
	for _, t := range tasks {
		path := strings.TrimPrefix(t.File.Path, "file://")
		files = append(files, "  "+quote(path))
		condition := "filename = " + quote(path) + " AND (" + rangesSQL(t) + ")"
		if t.Residual != nil {
			rest, err := predicateSQL(t.Residual)
			if err != nil {
				return "", err
			}
			condition += " AND " + rest
		}
		conditions = append(conditions, "  ("+condition+")")
	}
	return "SELECT count(*) FROM read_parquet([\n" + strings.Join(files, ",\n") +
		"\n], filename = true, file_row_number = true)\nWHERE\n" + strings.Join(conditions, " OR\n") + ";", nil
}

// rangesSQL says which rows of a file are candidates. The residual alone is not enough: what an index has settled is not in it.
func rangesSQL(t firn.Task) string {
	var texts []string
	for _, r := range t.Rows {
		if r.End == r.Start+1 {
			texts = append(texts, fmt.Sprintf("file_row_number = %d", r.Start))
		} else {
			texts = append(texts, fmt.Sprintf("file_row_number BETWEEN %d AND %d", r.Start, r.End-1))
		}
	}
	return strings.Join(texts, " OR ")
}

// predicateSQL translates the predicates that the example uses.
func predicateSQL(p firn.Predicate) (string, error) {
	switch p := p.(type) {
	case firn.And:
		return joinSQL(p, " AND ", "true")
	case firn.Or:
		return joinSQL(p, " OR ", "false")
	case firn.Not:
		inner, err := predicateSQL(p.X)
		return "NOT coalesce(" + inner + ", false)", err
	case firn.All:
		return "true", nil
	case firn.Equal:
		return fmt.Sprintf("coalesce(%s = %s, false)", columnSQL(p.Column), quote(fmt.Sprint(p.Value))), nil
	case firn.HasToken:
		return tokensSQL(p.Column, p.Text), nil
	case firn.Phrase:
		return tokensSQL(p.Column, p.Text), nil
	}
	return "", fmt.Errorf("no translation of %s", p)
}

func joinSQL(list []firn.Predicate, operator, empty string) (string, error) {
	if len(list) == 0 {
		return empty, nil
	}
	var texts []string
	for _, p := range list {
		text, err := predicateSQL(p)
		if err != nil {
			return "", err
		}
		texts = append(texts, text)
	}
	return "(" + strings.Join(texts, operator) + ")", nil
}

var word = regexp.MustCompile(`[\p{L}\p{Nd}_]+`)

// tokensSQL says that the words of text stand next to each other in a column, in any case.
func tokensSQL(column query.Column, text string) string {
	pattern := `(?i)(^|[^\p{L}\p{Nd}_])` + strings.Join(word.FindAllString(text, -1), `[^\p{L}\p{Nd}_]+`) + `($|[^\p{L}\p{Nd}_])`
	return fmt.Sprintf("coalesce(regexp_matches(%s, %s), false)", columnSQL(column), quote(pattern))
}

// columnSQL names a column or a key of attrs.
func columnSQL(c query.Column) string {
	name := `"` + strings.ReplaceAll(c.Name, `"`, `""`) + `"`
	if c.Key != "" {
		return name + "[" + quote(c.Key) + "]"
	}
	return name
}

func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }
