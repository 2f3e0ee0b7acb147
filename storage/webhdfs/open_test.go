package webhdfs

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/storage"
)

// fakeTicket is an authenticator.
type fakeTicket struct{}

// authenticate implements authenticator.
func (fakeTicket) authenticate(r *http.Request) error {
	r.Header.Set("Authorization", "Negotiate ticket")
	return nil
}

// TestKerberos shows tickets to namenodes only: datanodes get the token in the location.
func TestKerberos(t *testing.T) {
	f := newFake(t)
	s := f.open(t, Options{})
	s.auth = fakeTicket{}
	var mu sync.Mutex
	f.intercept(func(w http.ResponseWriter, r *http.Request, _ string, datanode int) bool {
		mu.Lock()
		defer mu.Unlock()
		assert.Equal(t, datanode < 0, r.Header.Get("Authorization") == "Negotiate ticket")
		assert.Equal(t, datanode >= 0, r.URL.Query().Get("delegation") == "SECRET")
		assert.Empty(t, r.URL.Query().Get("user.name"))
		return false
	})
	require.NoError(t, storage.WriteObject(t.Context(), s, "a", []byte("abc")))
	_, err := storage.ReadAll(t.Context(), s, "a")
	require.NoError(t, err)

	dir := t.TempDir()
	writeConf(t, dir, map[string]string{"hadoop.security.authentication": "kerberos"})
	_, err = Open(t.Context(), f.uri(), Options{ConfDir: dir, Kerberos: Kerberos{Krb5Conf: filepath.Join(dir, "krb5.conf")}})
	require.ErrorContains(t, err, "krb5.conf")
}

// writeConf writes a core-site.xml.
func writeConf(t *testing.T, dir string, properties map[string]string) {
	t.Helper()
	var b strings.Builder
	b.WriteString("<configuration>")
	for name, value := range properties {
		fmt.Fprintf(&b, "<property><name>%s</name><value>%s</value></property>", name, value)
	}
	b.WriteString("</configuration>")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "core-site.xml"), []byte(b.String()), 0o600))
}

func TestLocate(t *testing.T) {
	dir := t.TempDir()
	writeConf(t, dir, map[string]string{
		"dfs.ha.namenodes.lakes":                "nn1, nn2,nn3",
		"dfs.namenode.http-address.lakes.nn1":   "one.example:50070",
		"dfs.namenode.http-address.lakes.nn2":   "two.example",
		"dfs.namenode.rpc-address.lakes.nn3":    "three.example:8020",
		"dfs.namenode.https-address.lakes.nn1":  "one.example:50470",
		"dfs.namenode.http-address.federation2": "four.example:1",
	})
	for _, c := range []struct {
		uri       string
		opts      Options
		want, dir string
		addresses []string
	}{
		{uri: "webhdfs://host:1/", want: "webhdfs://host:1", addresses: []string{"host:1"}},
		{uri: "webhdfs://host", want: "webhdfs://host", addresses: []string{"host:9870"}},
		{uri: "swebhdfs://host/a//b/", want: "swebhdfs://host/a/b", dir: "/a/b", addresses: []string{"host:9871"}},
		{uri: "webhdfs://[::1]:5/a%20b", want: "webhdfs://[::1]:5/a%20b", dir: "/a%20b", addresses: []string{"[::1]:5"}},
		{uri: "webhdfs://[::1]/a", want: "webhdfs://[::1]/a", dir: "/a", addresses: []string{"[::1]:9870"}},
		{uri: "webhdfs://lakes/a", want: "webhdfs://lakes/a", dir: "/a",
			addresses: []string{"one.example:50070", "two.example:9870", "three.example:9870"}},
		{uri: "webhdfs://federation2/a", want: "webhdfs://federation2/a", dir: "/a", addresses: []string{"four.example:1"}},
		{uri: "webhdfs://x/a", opts: Options{Addresses: []string{"y", "http://z:3/"}, RootURI: "hdfs://x/a"}, want: "hdfs://x/a", dir: "/a",
			addresses: []string{"y:9870", "z:3"}},
		{uri: "hdfs://host/a"}, {uri: "webhdfs:///a"}, {uri: "/a"}, {uri: "webhdfs://user@host/a"}, {uri: "webhdfs://ho st/a"},
	} {
		c.opts.ConfDir = dir
		c.opts.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
		s, err := Open(t.Context(), c.uri, c.opts)
		if c.want == "" {
			require.Error(t, err, c.uri)
			require.ErrorContains(t, err, c.uri)
			continue
		}
		require.NoError(t, err, c.uri)
		require.Equal(t, c.want, s.URI(""), c.uri)
		require.Equal(t, c.dir, s.dir, c.uri)
		require.Equal(t, c.addresses, s.addresses, c.uri)
	}
	_, err := Open(t.Context(), "webhdfs://host/a", Options{ConfDir: filepath.Join(dir, "missing")})
	require.ErrorContains(t, err, "missing")
}
