package webhdfs

import (
	"errors"
	"net/http"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/storage"
)

// TestErrors maps exceptions to the errors of package storage.
func TestErrors(t *testing.T) {
	f := newFake(t)
	s := f.open(t, Options{MaxAttempts: 3})
	for _, c := range []struct {
		status            int
		exception, text   string
		is                error
		attempts          int
		inMessage, notHas string
	}{
		{status: 404, exception: "FileNotFoundException", text: "File /x does not exist.", is: storage.ErrNotExist, attempts: 1},
		{status: 403, exception: "AccessControlException", text: "Permission denied: user=x, access=READ", attempts: 1, inMessage: "HADOOP_USER_NAME"},
		{status: 403, exception: "AccessControlException", text: "/lake/a (is not a directory)", is: storage.ErrNotExist, attempts: 1},
		{status: 403, exception: "SafeModeException", text: "Name node is in safe mode.", attempts: 3, inMessage: "safemode get"},
		{status: 403, exception: "StandbyException", text: "READ is not supported in state standby", attempts: 3, inMessage: "Options.Addresses"},
		{status: 403, exception: "RetriableException", text: "NameNode still not started", attempts: 3},
		{status: 403, exception: "DSQuotaExceededException", text: "The DiskSpace quota is exceeded", attempts: 1, inMessage: "setSpaceQuota"},
		{status: 500, exception: "RuntimeException", text: "java.lang.NullPointerException", attempts: 3},
		{status: 503, attempts: 3, inMessage: "HTTP status 503"},
		{status: 401, attempts: 1, inMessage: "kinit"},
		{status: 404, attempts: 1, inMessage: "dfs.webhdfs.enabled"},
	} {
		t.Run(c.exception+strconv.Itoa(c.status), func(t *testing.T) {
			f.intercept(func(w http.ResponseWriter, _ *http.Request, _ string, _ int) bool {
				if c.exception != "" {
					refuse(w, c.status, c.exception, c.text)
				} else {
					http.Error(w, "<html>no</html>", c.status)
				}
				return true
			})
			f.seen()
			_, err := s.Stat(t.Context(), "a")
			require.Len(t, f.seen(), c.attempts)
			require.ErrorContains(t, err, s.URI("a"))
			require.ErrorContains(t, err, "GETFILESTATUS")
			require.ErrorContains(t, err, c.text)
			require.ErrorContains(t, err, c.inMessage)
			require.NotContains(t, err.Error(), "at org.apache")
			if c.is != nil {
				require.ErrorIs(t, err, c.is)
			} else {
				require.NotErrorIs(t, err, storage.ErrNotExist)
			}
			remote, ok := errors.AsType[*RemoteError](err)
			require.True(t, ok)
			require.Equal(t, c.status, remote.Status)
		})
	}
}
