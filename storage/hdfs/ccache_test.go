package hdfs

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"
	"github.com/stretchr/testify/require"
)

// writeCCache logs in with a keytab and writes the ticket to a cache, as kinit does (file format 4, described in MIT's documentation).
func writeCCache(t *testing.T, k Kerberos) string {
	t.Helper()
	client, err := kerberosClient(k, environment)
	require.NoError(t, err)
	defer client.Destroy()
	realm := client.Credentials.Realm()
	request, err := messages.NewASReqForTGT(realm, client.Config, client.Credentials.CName())
	require.NoError(t, err)
	reply, err := client.ASExchange(realm, request, 0)
	require.NoError(t, err)

	out := []byte{5, 4, 0, 0} // version, and no header
	u32 := func(v uint32) { out = binary.BigEndian.AppendUint32(out, v) }
	data := func(b []byte) {
		u32(uint32(len(b)))
		out = append(out, b...)
	}
	principal := func(realm string, name types.PrincipalName) {
		u32(uint32(name.NameType))
		u32(uint32(len(name.NameString)))
		data([]byte(realm))
		for _, part := range name.NameString {
			data([]byte(part))
		}
	}
	part := reply.DecryptedEncPart
	principal(reply.CRealm, reply.CName)
	principal(reply.CRealm, reply.CName)
	principal(part.SRealm, part.SName)
	out = binary.BigEndian.AppendUint16(out, uint16(part.Key.KeyType))
	data(part.Key.KeyValue)
	for _, at := range []int64{part.AuthTime.Unix(), part.AuthTime.Unix(), part.EndTime.Unix(), part.EndTime.Unix()} {
		u32(uint32(at))
	}
	out = append(out, 0) // no session key of another user
	flags := make([]byte, 4)
	copy(flags, part.Flags.Bytes)
	out = append(out, flags...)
	u32(0) // addresses
	u32(0) // authorization data
	ticket, err := reply.Ticket.Marshal()
	require.NoError(t, err)
	data(ticket)
	data(nil)
	file := filepath.Join(t.TempDir(), "krb5cc")
	require.NoError(t, os.WriteFile(file, out, 0o600))
	return file
}

// testTicketCache opens a store with the tickets of a cache, given as an option and in the environment.
func testTicketCache(t *testing.T, good Options) {
	t.Helper()
	cache := writeCCache(t, good.Kerberos)
	name, _, _ := strings.Cut(good.Kerberos.Principal, "@")
	for _, change := range []func(*Options){
		func(o *Options) { o.Kerberos.CCache = "FILE:" + cache },
		func(*Options) { t.Setenv("KRB5CCNAME", cache) },
	} {
		o := good
		o.Kerberos.Keytab, o.Kerberos.Principal = "", ""
		change(&o)
		s, err := Open(t.Context(), "hdfs:///test", o)
		require.NoError(t, err)
		require.Equal(t, name, s.user)
		for _, err := range s.List(t.Context(), "") {
			require.NoError(t, err)
		}
		require.NoError(t, s.Close())
	}
}
