package hdfs

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/storage"
)

// writeConf writes a configuration directory.
func writeConf(t *testing.T, core, hdfs map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for file, values := range map[string]map[string]string{"core-site.xml": core, "hdfs-site.xml": hdfs} {
		text := "<configuration>\n"
		for key, value := range values {
			text += "<property><name>" + key + "</name><value>" + value + "</value></property>\n"
		}
		require.NoError(t, os.WriteFile(filepath.Join(dir, file), []byte(text+"</configuration>"), 0o600))
	}
	return dir
}

// env returns a look-up in a map.
func env(values map[string]string) func(string) string {
	return func(key string) string { return values[key] }
}

func TestConfigure(t *testing.T) {
	single := writeConf(t, map[string]string{"fs.defaultFS": "hdfs://nn.example:9000", "web.port": "9870"}, map[string]string{
		"dfs.namenode.http-address": "nn.example:${web.port}", "dfs.replication": "2",
	})
	ha := writeConf(t, map[string]string{"fs.defaultFS": "hdfs://cluster"}, map[string]string{
		"dfs.nameservices": "cluster", "dfs.ha.namenodes.cluster": "nn1, nn2",
		"dfs.namenode.rpc-address.cluster.nn1": "one:8020", "dfs.namenode.rpc-address.cluster.nn2": "two:8020",
		"dfs.namenode.http-address.cluster.nn1": "one:9870", "dfs.namenode.http-address.cluster.nn2": "two:9870",
	})
	secure := writeConf(t, nil, map[string]string{
		"dfs.http.policy": "HTTPS_ONLY", "dfs.namenode.https-address": "nn:9871", "dfs.namenode.rpc-address": "nn:8020",
	})
	for _, test := range []struct {
		uri     string
		options Options
		env     map[string]string
		want    place
		users   string
	}{
		{"hdfs://nn:9000/a/b/", Options{User: "me"}, nil, place{uri: "hdfs://nn:9000/a/b", dir: "/a/b", nameNodes: []string{"nn:9000"}}, "me"},
		{"hdfs://nn", Options{}, map[string]string{"HADOOP_USER_NAME": "you"},
			place{uri: "hdfs://nn", dir: "/", nameNodes: []string{"nn:8020"}}, "you"},
		{"hdfs://nn/", Options{User: "me"}, nil, place{uri: "hdfs://nn", dir: "/", nameNodes: []string{"nn:8020"}}, "me"},
		{"hdfs://a:1,b:2/x", Options{User: "me"}, nil, place{uri: "hdfs://a:1,b:2/x", dir: "/x", nameNodes: []string{"a:1", "b:2"}}, "me"},
		{"hdfs:///x", Options{User: "me", ConfDir: single}, nil, place{uri: "hdfs://nn.example:9000/x", dir: "/x",
			nameNodes: []string{"nn.example:9000"}, http: []string{"http://nn.example:9870"}}, "me"},
		{"hdfs://other:9000/x", Options{User: "me", ConfDir: single}, nil,
			place{uri: "hdfs://other:9000/x", dir: "/x", nameNodes: []string{"other:9000"}}, "me"},
		{"hdfs://cluster/x", Options{User: "me"}, map[string]string{"HADOOP_CONF_DIR": ha}, place{uri: "hdfs://cluster/x", dir: "/x",
			nameNodes: []string{"one:8020", "two:8020"}, http: []string{"http://one:9870", "http://two:9870"}}, "me"},
		{"hdfs:///", Options{User: "me", ConfDir: ha, WebHDFS: "gate:1,https://gate:2/"}, nil, place{uri: "hdfs://cluster", dir: "/",
			nameNodes: []string{"one:8020", "two:8020"}, http: []string{"http://gate:1", "https://gate:2"}}, "me"},
		{"hdfs://nn/x", Options{User: "me", ConfDir: secure}, nil, place{uri: "hdfs://nn/x", dir: "/x",
			nameNodes: []string{"nn:8020"}, http: []string{"https://nn:9871"}}, "me"},
		{"hdfs://logical/x", Options{User: "me", NameNodes: []string{"c", "d:9"}}, nil, place{uri: "hdfs://logical/x", dir: "/x",
			nameNodes: []string{"c:8020", "d:9"}}, "me"},
	} {
		s, err := configure(test.uri, test.options.withDefaults(), env(test.env))
		require.NoError(t, err, test.uri)
		require.Equal(t, test.want, s.place, test.uri)
		require.Equal(t, test.users, s.user)
		require.Equal(t, test.want.uri, s.URI(""))
	}
	s, err := configure("hdfs:///x", Options{User: "me", ConfDir: single}.withDefaults(), env(nil))
	require.NoError(t, err)
	require.Equal(t, 2, s.replication)
	require.Equal(t, WebAddress{
		URI: "webhdfs://nn.example:9870/x", Addresses: []string{"nn.example:9870"}, RootURI: "hdfs://nn.example:9000/x", User: "me",
	}, s.webAddress())
}

func TestConfigureRefuses(t *testing.T) {
	bad := writeConf(t, nil, map[string]string{"dfs.replication": "many"})
	kerberos := writeConf(t, map[string]string{"hadoop.security.authentication": "kerberos"}, nil)
	for uri, o := range map[string]Options{
		"s3://bucket":    {},
		"hdfs:///x":      {},
		"hdfs://nn/a:b":  {},
		"hdfs://nn/../x": {},
		"hdfs://nn//x":   {},
		"hdfs://nn/1":    {ConfDir: t.TempDir()},
		"hdfs://nn/2":    {ConfDir: bad},
		"hdfs://nn/3":    {ConfDir: kerberos},
		"hdfs://nn/4":    {BlockBytes: 1000},
		"hdfs://nn/5":    {Kerberos: Kerberos{Keytab: "/nowhere", Principal: "me@HERE"}},
	} {
		_, err := configure(uri, o.withDefaults(), env(map[string]string{"KRB5_CONFIG": "/nowhere"}))
		require.Error(t, err, uri)
	}
}

func TestOpenWrongAddress(t *testing.T) {
	start := time.Now()
	_, err := Open(t.Context(), "hdfs://127.0.0.1:1/x", Options{User: "me", RetryFor: 300 * time.Millisecond})
	require.ErrorContains(t, err, "127.0.0.1:1")
	require.Less(t, time.Since(start), 30*time.Second)
}

func TestBlockBytes(t *testing.T) {
	const mib = 1 << 20
	require.EqualValues(t, 128*mib, blockBytes(0, 0, 128*mib))
	require.EqualValues(t, 128*mib, blockBytes(128*mib, 0, 128*mib))
	require.EqualValues(t, 129*mib, blockBytes(128*mib+1, 0, 128*mib))
	require.EqualValues(t, 512, blockBytes(512, 512, 128*mib))
	require.EqualValues(t, mib, blockBytes(513, 512, 128*mib))
}

func TestSpool(t *testing.T) {
	for _, memory := range []int64{0, 1, 100_000, 64 << 20} {
		s := spool{dir: t.TempDir(), memory: memory}
		data := random(3<<20+7, uint64(memory))
		for rest := data; len(rest) > 0; {
			n := min(len(rest), 77_777)
			require.NoError(t, s.write(rest[:n]))
			rest = rest[n:]
		}
		for range 2 {
			var back []byte
			require.NoError(t, s.each(func(p []byte) error { back = append(back, p...); return nil }))
			require.Equal(t, data, back)
		}
		require.NoError(t, s.close())
		left, err := os.ReadDir(s.dir)
		require.NoError(t, err)
		require.Empty(t, left)
	}
	s := spool{dir: "/nowhere"}
	require.ErrorContains(t, s.write([]byte("x")), "SpoolDir")
}

func TestNamesWithColons(t *testing.T) {
	s, err := configure("hdfs://nn/x", Options{User: "me"}.withDefaults(), env(nil))
	require.NoError(t, err)
	_, err = s.Stat(t.Context(), "a:b")
	require.ErrorIs(t, err, storage.ErrInvalidName)
}
