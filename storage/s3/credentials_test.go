package s3

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/internal/faultproxy"
	"github.com/firnlog/firn/internal/testservers"
	"github.com/firnlog/firn/storage"
)

// signedWith matches requests that are signed with a key.
func signedWith(key string) func(*http.Request) bool {
	return func(r *http.Request) bool {
		return strings.Contains(r.Header.Get("Authorization"), "Credential="+key+"/")
	}
}

// TestExpiredCredentials checks that credentials which the server calls expired are fetched anew.
func TestExpiredCredentials(t *testing.T) {
	onServers(t, func(t *testing.T, server *testservers.Server) {
		var asked atomic.Int64
		s, proxy := throughProxy(t, server, func(o *Options) {
			fresh := aws.Credentials{AccessKeyID: o.AccessKeyID, SecretAccessKey: o.SecretAccessKey}
			stale := aws.Credentials{AccessKeyID: "STALE", SecretAccessKey: "stale"}
			o.AccessKeyID, o.SecretAccessKey = "", ""
			o.CredentialsProvider = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
				if asked.Add(1)%2 == 1 {
					return stale, nil
				}
				return fresh, nil
			})
		})
		proxy.Inject(faultproxy.Rule{Match: signedWith("STALE"), Action: faultproxy.Status(400, "ExpiredToken")})
		exercise(t, s, "object")
		require.EqualValues(t, 2, asked.Load())
		require.EqualValues(t, 1, proxy.Fired())

		// Credentials that stay expired end the request.
		proxy.Heal()
		proxy.Inject(faultproxy.Rule{Action: faultproxy.Status(403, "ExpiredToken")})
		proxy.Reset()
		err := storage.WriteObject(t.Context(), s, "object", []byte("x"))
		require.ErrorContains(t, err, "HTTP status 403 ExpiredToken")
		require.ErrorContains(t, err, "renew")
		require.ErrorContains(t, err, "request id FAULTPROXY")
		require.EqualValues(t, 2, proxy.Requests())
		_, err = s.Stat(t.Context(), "object") // an answer without a body
		require.ErrorContains(t, err, "HTTP status 403")
		require.NotErrorIs(t, err, storage.ErrNotExist)
	})
}

// TestRewrittenCredentialsFile checks that new credentials which another program writes into the AWS tools' file are found.
func TestRewrittenCredentialsFile(t *testing.T) {
	onServers(t, func(t *testing.T, server *testservers.Server) {
		file := filepath.Join(t.TempDir(), "credentials")
		write := func(key, secret string) {
			content := fmt.Sprintf("[lake]\naws_access_key_id = %s\naws_secret_access_key = %s\n", key, secret)
			require.NoError(t, os.WriteFile(file, []byte(content), 0o600))
		}
		write("STALE", "stale")
		for name, value := range map[string]string{
			"AWS_SHARED_CREDENTIALS_FILE": file, "AWS_CONFIG_FILE": os.DevNull, "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_PROFILE": "",
		} {
			t.Setenv(name, value)
		}
		s, proxy := throughProxy(t, server, func(o *Options) { o.AccessKeyID, o.SecretAccessKey, o.Profile = "", "", "lake" })
		proxy.Inject(faultproxy.Rule{Match: signedWith("STALE"), Action: faultproxy.Status(400, "ExpiredToken")})
		_, err := s.Stat(t.Context(), "object")
		require.ErrorContains(t, err, "400")
		write(server.Vars["AWS_ACCESS_KEY_ID"], server.Vars["AWS_SECRET_ACCESS_KEY"])
		exercise(t, s, "object")
	})
}

// skewedSigner signs with a clock that is wrong by a constant.
type skewedSigner struct {
	s3.HTTPSignerV4
	by time.Duration
}

func (s skewedSigner) SignHTTP(ctx context.Context, credentials aws.Credentials, r *http.Request, hash, service, region string, at time.Time,
	options ...func(*v4.SignerOptions),
) error {
	return s.HTTPSignerV4.SignHTTP(ctx, credentials, r, hash, service, region, at.Add(s.by), options...)
}

// TestClockSkew works with a clock that is an hour wrong. The SDK's clock cannot be set; so the signatures are made an hour early, and
// the server's Date is shown an hour late: to the SDK, and to the server, that is the same as if this machine's clock were an hour slow.
func TestClockSkew(t *testing.T) {
	testservers.Need(t)
	onRealServers(t, func(t *testing.T, server *testservers.Server) {
		for _, skew := range []time.Duration{time.Hour, -time.Hour} {
			s, proxy := throughProxy(t, server, nil)
			options := s.client.Options()
			options.HTTPSignerV4 = skewedSigner{options.HTTPSignerV4, -skew}
			options.AuthSchemes = nil // which hold the signer
			s.client = s3.New(options)
			proxy.Inject(faultproxy.Rule{Action: faultproxy.Edit(func(r *http.Response) {
				date, err := http.ParseTime(r.Header.Get("Date"))
				if err != nil {
					date = time.Now()
				}
				r.Header.Set("Date", date.Add(skew).UTC().Format(http.TimeFormat))
			})})
			exercise(t, s, "object")
			require.EqualValues(t, 1, s.Counts().Retries, "the first request is refused, and then the skew is known")
		}
	})
}

// TestWrongCredentials checks the errors of credentials that are plainly wrong.
func TestWrongCredentials(t *testing.T) {
	testservers.Need(t)
	onRealServers(t, func(t *testing.T, server *testservers.Server) {
		opts := settings(server, "")
		opts.SecretAccessKey = "wrong"
		err := storage.WriteObject(t.Context(), open(t, server, opts), "object", []byte("x"))
		require.ErrorContains(t, err, "SignatureDoesNotMatch")
		require.ErrorContains(t, err, "AWS_SECRET_ACCESS_KEY")
		opts.AccessKeyID = "unknown"
		err = storage.WriteObject(t.Context(), open(t, server, opts), "object", []byte("x"))
		require.ErrorContains(t, err, "AWS_ACCESS_KEY_ID")
		opts.AccessKeyID, opts.SecretAccessKey, opts.Anonymous = "", "", true
		err = storage.WriteObject(t.Context(), open(t, server, opts), "object", []byte("x"))
		require.ErrorContains(t, err, "AccessDenied")
		require.ErrorContains(t, err, "s3:PutObject")
	})
}

// TestNoBucket checks that a missing bucket is not taken for missing objects.
func TestNoBucket(t *testing.T) {
	testservers.Need(t)
	onRealServers(t, func(t *testing.T, server *testservers.Server) {
		ctx := t.Context()
		for range 2 {
			s := openAt(t, "s3://no-such-bucket/a", settings(server, ""))
			_, statErr := s.Stat(ctx, "x")
			var listErr error
			for _, listErr = range s.List(ctx, "") {
			}
			for _, err := range []error{
				statErr, listErr, s.ReadAt(ctx, "x", make([]byte, 1), 0), s.Delete(ctx, "x"), storage.WriteObject(ctx, s, "x", nil),
				s.CheckConditionalWrites(ctx),
			} {
				require.ErrorContains(t, err, "create the bucket")
				require.NotErrorIs(t, err, storage.ErrNotExist)
			}
		}
		s := open(t, server, settings(server, ""))
		_, err := s.Stat(ctx, "x")
		require.ErrorIs(t, err, storage.ErrNotExist)
		require.EqualValues(t, 2, s.Counts().Requests)
		_, err = s.Stat(ctx, "x")
		require.ErrorIs(t, err, storage.ErrNotExist)
		require.EqualValues(t, 3, s.Counts().Requests)
		require.NoError(t, s.CheckConditionalWrites(ctx))
		for info, err := range s.List(ctx, "") {
			require.Fail(t, "the probe stays", "%v, %v", info, err)
		}
	})
}
