package loggen

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/internal/oracle"
)

func TestSameSeedSameBytes(t *testing.T) {
	opts := Options{Seed: 7, Rows: 500, Sequence: true}
	require.Equal(t, Bytes(opts), Bytes(opts))
	require.NotEqual(t, Bytes(opts), Bytes(Options{Seed: 8, Rows: 500, Sequence: true}))
}

func TestEveryLineIsARow(t *testing.T) {
	for _, plain := range []bool{false, true} {
		text := Bytes(Options{Seed: 1, Rows: 5000, Plain: plain})
		result, err := oracle.Evaluate(bytes.NewReader(text), oracle.NewMapper(oracle.DefaultColumns()), nil, oracle.Options{})
		require.NoError(t, err)
		require.EqualValues(t, 5000, result.Rows)
		require.Zero(t, result.Rejected+result.Blank)
		days := (result.MaxMicros - result.MinMicros) / 86400e6
		require.EqualValues(t, 2, days, "the rows spread over three days")
	}
}
