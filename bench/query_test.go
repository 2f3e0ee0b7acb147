package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestQueryBench(t *testing.T) {
	b := testBench(t)
	var out bytes.Buffer
	b.out, b.explain = &out, true
	b.lakeDir = testLake(t, b, 3000).dir
	result, err := b.query()
	require.NoError(t, err, out.String())
	asked := map[string]questionCost{}
	for _, c := range result.Costs {
		require.Positive(t, c.MS, c.Question)
		require.GreaterOrEqual(t, c.Runs, 3)
		asked[c.Question+", "+c.What] = c
	}
	require.Equal(t, int64(fetchRows), asked["frequent word, newest 200"].Rows)
	require.Greater(t, asked["frequent word, count"].Rows, int64(3000/4))
	require.Zero(t, asked["nowhere, count"].Rows)
	require.Positive(t, asked["two medium words, count"].Rows, "they are in some rows together")
	require.Greater(t, asked["histogram by hour, medium word, groups"].Rows, int64(1))
	require.Positive(t, asked["by level, frequent word, groups"].Rows)
	require.Positive(t, result.Scan.Rate)
	require.Len(t, result.Checks, len(result.Costs)+1+len(result.Regexps))
	for _, r := range result.Regexps {
		require.Positive(t, r.Rows, r.Expr)
		require.LessOrEqual(t, r.Rows, r.LiteralRows)
	}
	require.Contains(t, out.String(), "token bloom", "how questions were planned")

	b.only = []string{"needle (an id)"}
	result, err = b.query()
	require.NoError(t, err)
	require.Len(t, result.Costs, 2)
	require.Nil(t, result.Scan)
}
