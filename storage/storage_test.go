package storage_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/storage"
	"github.com/firnlog/firn/storage/mem"
	"github.com/firnlog/firn/storage/metered"
	"github.com/firnlog/firn/storage/storetest"
)

func TestCheckName(t *testing.T) {
	for _, name := range storetest.InvalidNames() {
		require.ErrorIs(t, storage.CheckName(name), storage.ErrInvalidName, "%q", name)
	}
	for _, name := range storetest.OddNames() {
		require.NoError(t, storage.CheckName(name), "%q", name)
	}
}

// rooted is a store of which only the root matters.
type rooted struct {
	storage.Store
	root string
}

func (r rooted) URI(name string) string {
	if name == "" {
		return r.root
	}
	return r.root + "/" + name
}

func TestNameOf(t *testing.T) {
	for _, test := range []struct {
		root, uri, name string
		ok              bool
	}{
		{"s3://bucket/lake", "s3://bucket/lake/a/b", "a/b", true},
		{"s3://bucket/lake", "s3://bucket/lake", "", true},
		{"s3://bucket/lake", "s3://bucket/lake2/a", "", false},
		{"s3://bucket/lake", "s3a://bucket/lake/a", "a", true},
		{"s3://bucket/lake", "s3n://bucket/lake", "", true},
		{"s3://bucket/lake", "s3a://other/lake/a", "", false},
		{"s3://bucket/lake", "/lake/a", "", false},
		{"s3://bucket/lake", "s3://bucket/lake//a", "", false},
		{"file:///lake", "file:///lake/a%20b", "a%20b", true},
		{"file:///lake", "file:/lake/a", "a", true},
		{"file:///lake", "file://localhost/lake/a", "a", true},
		{"file:///lake", "/lake/a", "a", true},
		{"file:///lake", "/lake//a/./b/", "a/b", true},
		{"file:///lake", "/lake/../a", "", false},
		{"file:///lake", "lake/a", "", false},
		{"file:///lake", "file:lake/a", "", false},
		{"file:///lake", "file://host/lake/a", "", false},
		{"file:///lake", "s3://lake/a", "", false},
		{"file:///lake", "", "", false},
		{"file:///lake", "file:", "", false},
		{"file://", "/a", "a", true}, // the root directory
		{"file:///C:/lake", "file:///C:/lake/a", "a", true},
	} {
		name, ok := storage.NameOf(rooted{root: test.root}, test.uri)
		require.Equal(t, test.ok, ok, "%s in %s", test.uri, test.root)
		require.Equal(t, test.name, name, "%s in %s", test.uri, test.root)
	}
}

func FuzzNameOf(f *testing.F) {
	for _, uri := range []string{"file:///lake/a", "/lake/../x", "file:/lake/%2e%2e/a", "s3://b/a"} {
		f.Add(uri)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		for _, root := range []string{"file:///lake", "s3://b"} {
			s := rooted{root: root}
			name, ok := storage.NameOf(s, uri)
			if !ok || name == "" {
				require.Empty(t, name)
				continue
			}
			require.NoError(t, storage.CheckName(name))
			again, ok := storage.NameOf(s, s.URI(name))
			require.True(t, ok)
			require.Equal(t, name, again)
		}
	})
}

func TestReadAllRequests(t *testing.T) {
	ctx := t.Context()
	s := metered.New(mem.New())
	for size, requests := range map[int]int64{0: 1, 1: 1, 64 << 10: 1, 64<<10 + 1: 2, 1 << 20: 2} {
		name := string(rune('a' + len(s.URI("")) + size%23))
		require.NoError(t, storage.WriteObject(ctx, s, name, make([]byte, size)))
		s.Reset()
		data, err := storage.ReadAll(ctx, s, name)
		require.NoError(t, err)
		require.Len(t, data, size)
		require.Equal(t, requests, s.Counts().Requests, "%d bytes", size)
		require.EqualValues(t, size, s.Counts().BytesRead, "no byte is read twice")
		require.NoError(t, s.Delete(ctx, name))
	}
	_, err := storage.ReadAll(ctx, s, "missing")
	require.ErrorIs(t, err, storage.ErrNotExist)
}
