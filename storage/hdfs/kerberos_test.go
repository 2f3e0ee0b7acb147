package hdfs

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/internal/testservers"
	"github.com/firnlog/firn/storage"
	"github.com/firnlog/firn/storage/storetest"
)

// TestKerberos runs the suite on clusters that want Kerberos, without and with encrypted transfers.
func TestKerberos(t *testing.T) {
	for _, protection := range []string{"", "privacy"} {
		t.Run("Protection="+protection, func(t *testing.T) {
			server := testservers.Own(t, "hdfs", "HDFS_KERBEROS=1", "HDFS_DATANODES=1", "HDFS_PROTECTION="+protection)
			options := Options{
				ConfDir: server.Vars["HADOOP_CONF_DIR"], Logger: logger(t),
				Kerberos: Kerberos{
					Principal: "hdfs/localhost@" + server.Vars["HDFS_REALM"], Keytab: server.Vars["HDFS_KEYTAB"],
					Krb5Conf: server.Vars["KRB5_CONFIG"],
				},
			}
			admin, err := Open(t.Context(), "hdfs:///", options)
			require.NoError(t, err)
			sess, done, err := admin.sessions.shared(t.Context())
			require.NoError(t, err)
			require.NoError(t, sess.client.MkdirAll("/test", dirMode))
			require.NoError(t, sess.client.Chown("/test", "lake", "lake"))
			done()
			require.NoError(t, admin.Close())

			storetest.Run(t, func(t testing.TB) storage.Store {
				return open(t, server, func(o *Options) {
					o.User, o.ConfDir, o.Kerberos = "nobody", options.ConfDir, options.Kerberos
					o.Kerberos.Principal = "lake"
				})
			}, "a:b;c,d")
			testKerberosErrors(t, options)
		})
	}
}

// testKerberosErrors checks that errors say what is missing.
func testKerberosErrors(t *testing.T, good Options) {
	t.Helper()
	t.Setenv("KRB5CCNAME", filepath.Join(t.TempDir(), "none"))
	for want, change := range map[string]func(*Options){
		"kinit":     func(o *Options) { o.Kerberos.Keytab = "" },
		"principal": func(o *Options) { o.Kerberos.Principal = "" },
		"nowhere":   func(o *Options) { o.Kerberos.Keytab = "/nowhere" },
		"stranger":  func(o *Options) { o.Kerberos.Principal = "stranger" },
		"KRB5":      func(o *Options) { o.Kerberos.Krb5Conf = "/none" },
	} {
		o := good
		change(&o)
		_, err := Open(t.Context(), "hdfs:///test", o)
		require.ErrorContains(t, err, want)
	}

	// Permissions are those of the principal.
	o := good
	o.Kerberos.Principal = "lake"
	s, err := Open(t.Context(), "hdfs:///elsewhere", o)
	require.NoError(t, err)
	err = storage.WriteObject(t.Context(), s, "a", nil)
	require.ErrorIs(t, err, os.ErrPermission)
	require.ErrorContains(t, err, `"lake"`)
	require.NoError(t, s.Close())
}
