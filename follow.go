package firn

import (
	"context"
	"iter"

	"github.com/firnlog/firn/query"
)

// FollowOptions refine Lake.Follow.
type FollowOptions = query.FollowOptions

// Followable returns why Follow refuses a query whatever the table is (ErrInvalidRequest), or nil.
func Followable(q Query) error { return query.Followable(q) }

// Follow yields the rows of a table that match a query as they are committed, each exactly once, until the context ends; see query.Engine.Follow. Query.Table is not looked at.
func (l *Lake) Follow(ctx context.Context, table string, q Query, o FollowOptions) iter.Seq2[Row, error] {
	load := func(ctx context.Context) (*Table, error) { return l.catalog.Load(ctx, table) }
	return l.engine.Follow(ctx, load, q, o)
}
