package webhdfs

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/internal/testservers"
	"github.com/firnlog/firn/storage"
	"github.com/firnlog/firn/storage/storetest"
)

// TestKerberosOnServer is a cluster that wants Kerberos: namenodes are shown tickets, datanodes delegation tokens. (The whole suite passes
// there too, but takes minutes.)
func TestKerberosOnServer(t *testing.T) {
	c := testservers.Own(t, "hdfs", "HDFS_KERBEROS=1", "HDFS_DATANODES=1")
	port := c.Vars["HDFS_HTTP"][strings.LastIndexByte(c.Vars["HDFS_HTTP"], ':'):]
	uri := func(dir string) string { return "webhdfs://localhost" + port + dir }
	// The configuration says that the cluster wants Kerberos.
	admin := Options{ConfDir: c.Vars["HADOOP_CONF_DIR"], User: "ignored", Kerberos: Kerberos{
		Principal: "hdfs/localhost@" + c.Vars["HDFS_REALM"], Keytab: c.Vars["HDFS_KEYTAB"], Krb5Conf: c.Vars["KRB5_CONFIG"],
	}}
	s := openAt(t, uri("/lake"), admin)
	require.NoError(t, storage.WriteObject(t.Context(), s, "a", []byte("abc")))
	require.ErrorIs(t, storage.WriteObject(t.Context(), s, "a", []byte("abc")), storage.ErrExist)
	for _, name := range storetest.OddNames()[:11] {
		data := content(1, 1000)
		require.NoError(t, storage.WriteObject(t.Context(), s, name, data))
		got, err := storage.ReadAll(t.Context(), s, name)
		require.NoError(t, err)
		require.Equal(t, data, got)
		require.NoError(t, s.Delete(t.Context(), name))
	}
	var names []string
	for info, err := range s.List(t.Context(), "") {
		require.NoError(t, err)
		names = append(names, info.Name)
	}
	require.Equal(t, []string{"a"}, names)

	user := admin
	user.Kerberos.Principal = "lake"
	lake, err := Open(t.Context(), uri("/lake"), user)
	require.NoError(t, err)
	got, err := storage.ReadAll(t.Context(), lake, "a")
	require.NoError(t, err)
	require.Equal(t, "abc", string(got))
	err = storage.WriteObject(t.Context(), lake, "b", []byte("x"))
	require.ErrorContains(t, err, "user=lake, access=WRITE")
	require.NoError(t, lake.Close())

	for want, change := range map[string]func(o *Options){
		"kinit":     func(o *Options) { o.Kerberos.Keytab, o.Kerberos.CCache = "", filepath.Join(t.TempDir(), "none") },
		"principal": func(o *Options) { o.Kerberos.Principal = "" },
		"stranger":  func(o *Options) { o.Kerberos.Principal = "stranger" },
		"krb5":      func(o *Options) { o.Kerberos.Krb5Conf = "/none/krb5.conf" },
	} {
		o := admin
		change(&o)
		s, err := Open(t.Context(), uri("/lake"), o)
		if err == nil {
			_, err = s.Stat(t.Context(), "a")
		}
		require.ErrorContains(t, err, want)
	}
	plain, err := Open(t.Context(), uri("/lake"), Options{User: "lake"})
	require.NoError(t, err)
	_, err = plain.Stat(t.Context(), "a")
	require.ErrorContains(t, err, "the cluster wants Kerberos")
	require.NoError(t, plain.Close())
}

// TestTwoNamenodes kills the active namenode of two while writers publish, and then the other one: each time the one that is left is
// made active, and nothing that was acknowledged is missing.
func TestTwoNamenodes(t *testing.T) {
	c := testservers.Own(t, "hdfs", "HDFS_HA=1", "HDFS_DATANODES=1")
	o := impatient(c)
	o.ConfDir, o.MaxAttempts = c.Vars["HADOOP_CONF_DIR"], 40
	uri := "webhdfs://" + c.Vars["HDFS_SERVICE"] + "/lake"
	s, err := Open(t.Context(), uri, o)
	require.NoError(t, err)
	require.Len(t, s.addresses, 2)
	objects := map[string][]byte{}
	for round, name := range []string{"namenode", "namenode2"} {
		began := make(chan struct{}, 100)
		var mu sync.Mutex
		var group sync.WaitGroup
		for writer := range 3 {
			group.Go(func() {
				for i := range 10 {
					name := fmt.Sprintf("%d/%d/%d", round, writer, i)
					data := content(byte(writer), 10_000+i)
					if !assert.NoError(t, storage.WriteObject(t.Context(), s, name, data)) {
						return
					}
					mu.Lock()
					objects[name] = data
					mu.Unlock()
					began <- struct{}{}
				}
			})
		}
		for range 10 {
			<-began
		}
		c.Signal(t, name, syscall.SIGKILL)
		down := time.Now()
		c.Up(t)
		group.Wait()
		t.Logf("all was written %v after the end of %s", time.Since(down), name)
		requireAllSmall(t, uri, o, objects)
	}
}

// requireAllSmall fails unless exactly these objects are there, and whole.
func requireAllSmall(t *testing.T, uri string, o Options, objects map[string][]byte) {
	t.Helper()
	s, err := Open(t.Context(), uri, o)
	require.NoError(t, err)
	found := 0
	for info, err := range s.List(t.Context(), "") {
		require.NoError(t, err)
		got, err := storage.ReadAll(t.Context(), s, info.Name)
		require.NoError(t, err)
		require.Equal(t, objects[info.Name], got, "%s", info.Name)
		found++
	}
	require.Equal(t, len(objects), found)
	require.NoError(t, s.Close())
}
