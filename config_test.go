package firn

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestParseConfig(t *testing.T) {
	lookup := func(name string) (string, bool) {
		value, ok := map[string]string{"KEY": "a: b # $x", "SIZE": "3MiB", "EMPTY": ""}[name]
		return value, ok
	}
	c, err := parseConfig([]byte(`
lake: s3://bucket/lake
catalog: postgres://firn:${KEY}@db/firn
s3:
  endpoint: http://127.0.0.1:9000
  secret_access_key: ${KEY}
  session_token: "${EMPTY}"
  request_timeout: 30s
  max_attempts: 7
hdfs:
  namenodes: [a:1, b:2]
  kerberos: {principal: firn@EXAMPLE, keytab: "cost $$5"}
cache:
  dir: /var/cache/firn
  bytes: 20GiB
  objects: 1000
  memory: ${SIZE}
memory: {cache_bytes: 64MiB, cache_entries: 500}
`), lookup)
	require.NoError(t, err)
	require.Equal(t, Config{
		Lake: "s3://bucket/lake", Catalog: "postgres://firn:a: b # $x@db/firn",
		S3: S3Config{
			Endpoint: "http://127.0.0.1:9000", SecretAccessKey: "a: b # $x", RequestTimeout: Duration(30 * time.Second), MaxAttempts: 7,
		},
		HDFS:   HDFSConfig{NameNodes: []string{"a:1", "b:2"}, Kerberos: &KerberosConfig{Principal: "firn@EXAMPLE", Keytab: "cost $5"}},
		Cache:  &CacheConfig{Dir: "/var/cache/firn", Bytes: 20 << 30, Objects: 1000, Memory: 3 << 20},
		Memory: MemoryConfig{CacheBytes: 64 << 20, CacheEntries: 500},
	}, c)
	o := newOptions([]Option{WithConfig(c)})
	require.Equal(t, []int64{64 << 20, 500}, []int64{o.cacheBytes, int64(o.cacheEntries)})

	for text, want := range map[string]string{
		"lake: x\nlaek: y\n":                `line 2: "laek" is not a setting here`,
		"s3:\n  endpoint: x\n  secret: y\n": `line 3: "secret" is not a setting here`,
		"lake: ${NONE}":                     "line 1: the environment variable NONE is not set",
		"\n\ncache: {bytes: many}":          `line 3: "many" is no size`,
		"s3: {request_timeout: 30}":         `line 1: "30" is no duration`,
		"s3: {max_attempts: often}":         "line 1: cannot unmarshal",
		"lake: [":                           "line 1",
		"- a":                               "line 1: cannot unmarshal",
		"cache: {bytes: [1]}":               "is no size",
		"s3: {request_timeout: -3s}":        "is no duration",
		"lake: a\nlake: b":                  "already",
	} {
		_, err := parseConfig([]byte(text), lookup)
		require.ErrorContains(t, err, want, text)
	}
	for _, text := range []string{"", "# nothing\n", "---\n", "{}"} {
		c, err := parseConfig([]byte(text), lookup)
		require.NoError(t, err, text)
		require.Zero(t, c)
	}
}

func TestReadConfig(t *testing.T) {
	_, err := ReadConfig(filepath.Join(t.TempDir(), "none.yaml"))
	require.ErrorIs(t, err, os.ErrNotExist)
	path := filepath.Join(t.TempDir(), "firn.yaml")
	require.NoError(t, os.WriteFile(path, []byte("nothing: true"), 0o600))
	_, err = ReadConfig(path)
	require.ErrorIs(t, err, ErrInvalid)
	require.ErrorContains(t, err, path)
}

func FuzzParseConfig(f *testing.F) {
	f.Add([]byte("lake: ${A}\ncache: {bytes: 1}"))
	f.Add([]byte("s3:\n  endpoint: &a x\nhdfs: {user: *a}"))
	f.Fuzz(func(_ *testing.T, text []byte) {
		_, _ = parseConfig(text, func(string) (string, bool) { return "x", true })
	})
}
