package mem_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/storage"
	"github.com/firnlog/firn/storage/mem"
	"github.com/firnlog/firn/storage/storetest"
)

func TestConformance(t *testing.T) {
	storetest.Run(t, func(testing.TB) storage.Store { return mem.New() })
}

func TestClock(t *testing.T) {
	now := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	s := mem.NewWithClock(func() time.Time { return now })
	require.NoError(t, storage.WriteObject(t.Context(), s, "a", nil))
	info, err := s.Stat(t.Context(), "a")
	require.NoError(t, err)
	require.Equal(t, now, info.ModTime)
}
