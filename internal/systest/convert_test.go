package systest

import (
	"fmt"
	"time"

	"github.com/firnlog/firn"
	"github.com/firnlog/firn/internal/oracle"
	"github.com/firnlog/firn/query"
)

// predicate turns the oracle's predicate into the engine's.
func predicate(n *oracle.Node) firn.Predicate {
	column := query.Col(n.Field.Column)
	if n.Field.Column == "" {
		column = query.Attr(n.Field.Key)
	}
	if n.Field.Path != "" {
		column = query.JSONPath(n.Field.Column, n.Field.Path)
	}
	switch n.Op {
	case oracle.All:
		return query.All{}
	case oracle.HasToken:
		return query.HasToken{Column: column, Text: n.Text}
	case oracle.Phrase:
		return query.Phrase{Column: column, Text: n.Text}
	case oracle.Equal:
		return query.Equal{Column: column, Value: value(n.Values[0])}
	case oracle.In:
		in := query.In{Column: column}
		for _, v := range n.Values {
			in.Values = append(in.Values, value(v))
		}
		return in
	case oracle.Less, oracle.LessOrEqual, oracle.Greater, oracle.GreaterOrEqual:
		op := map[oracle.Op]query.Op{
			oracle.Less: query.Less, oracle.LessOrEqual: query.LessOrEqual,
			oracle.Greater: query.Greater, oracle.GreaterOrEqual: query.GreaterOrEqual,
		}[n.Op]
		return query.Compare{Column: column, Op: op, Value: value(n.Values[0])}
	case oracle.Between:
		return query.Between{Column: column, Low: value(n.Values[0]), High: value(n.Values[1])}
	case oracle.IsNull:
		return query.IsNull{Column: column}
	case oracle.Prefix:
		return query.Prefix{Column: column, Text: n.Text}
	case oracle.Contains:
		return query.Contains{Column: column, Text: n.Text}
	case oracle.TokenPrefix:
		return query.TokenPrefix{Column: column, Text: n.Text}
	case oracle.Regexp:
		return query.Regexp{Column: column, Expr: n.Text}
	case oracle.Not:
		return query.Not{X: predicate(n.Kids[0])}
	}
	kids := make([]query.Predicate, len(n.Kids))
	for i, kid := range n.Kids {
		kids[i] = predicate(kid)
	}
	switch n.Op {
	case oracle.And:
		return query.And(kids)
	case oracle.Or:
		return query.Or(kids)
	}
	panic(fmt.Sprintf("unknown predicate %d", n.Op))
}

// value turns the oracle's value into one of the types that the engine takes.
func value(v oracle.Value) any {
	switch v.Type {
	case oracle.String:
		return v.Text
	case oracle.Bool:
		return v.Int == 1
	case oracle.Float, oracle.Double:
		return v.Float
	case oracle.Timestamp:
		return oracle.Time(v.Int)
	case oracle.Date:
		return time.Unix(v.Int*86400, 0).UTC().Format("2006-01-02")
	}
	return v.Int
}
