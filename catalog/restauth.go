package catalog

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"
)

// Environment variables for what should not stand in files and command lines.
const (
	envToken      = "FIRN_CATALOG_TOKEN"
	envCredential = "FIRN_CATALOG_CREDENTIAL"
)

// RESTOptions say who we are to an Iceberg REST catalog. The zero value takes the secrets from the environment, and is anonymous where
// there are none. Secrets are in no error and no log.
type RESTOptions struct {
	// Token is a bearer token. Default: the environment variable FIRN_CATALOG_TOKEN.
	Token string
	// Credential is "id:secret" for the OAuth2 client credentials flow, which fetches and renews a token. It is only used where there
	// is no Token. Default: the environment variable FIRN_CATALOG_CREDENTIAL.
	//
	// The token comes from the URI parameter oauth2-server-uri, or else from the catalog itself; scope, audience and resource are URI
	// parameters too.
	Credential string
	// TLS is for https; nil trusts the system's authorities, and those in the file that the URI parameter ca names.
	TLS *tls.Config
}

// tlsConfig returns the settings for https.
func (o RESTOptions) tlsConfig(query url.Values) (*tls.Config, error) {
	file := query.Get("ca")
	if o.TLS != nil || file == "" {
		return o.TLS, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading the authorities for the catalog: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%w: %s holds no certificate in PEM form", ErrInvalid, file)
	}
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, nil
}

// tokenSlack is how long before its end a token is no longer used.
const tokenSlack = 30 * time.Second

// restAuth puts the authorization on requests.
type restAuth struct {
	http *http.Client
	now  func() time.Time
	form url.Values // what a token is asked for with; nil: the token is fixed

	mu      sync.Mutex
	server  string // where tokens come from
	token   string
	expires time.Time // zero: never
}

func newRESTAuth(client *http.Client, opts RESTOptions, query url.Values, server string, now func() time.Time) *restAuth {
	a := &restAuth{http: client, now: now, server: server, token: opts.Token}
	credential := opts.Credential
	if a.token == "" && credential == "" {
		a.token, credential = os.Getenv(envToken), os.Getenv(envCredential)
	}
	if a.token != "" || credential == "" {
		return a
	}
	id, secret, found := strings.Cut(credential, ":")
	if !found {
		id, secret = "", credential
	}
	a.form = url.Values{"grant_type": {"client_credentials"}, "client_secret": {secret}, "scope": {"catalog"}}
	if id != "" {
		a.form.Set("client_id", id)
	}
	for _, name := range []string{"scope", "audience", "resource"} {
		if value := query.Get(name); value != "" {
			a.form.Set(name, value)
		}
	}
	return a
}

// renews says whether a new token can be had.
func (a *restAuth) renews() bool { return a.form != nil }

// forget drops the token, so that the next request fetches another one.
func (a *restAuth) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.token = ""
}

func (a *restAuth) authorize(ctx context.Context, request *http.Request) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.form != nil && (a.token == "" || !a.expires.IsZero() && a.now().After(a.expires)) {
		if err := a.fetch(ctx); err != nil {
			return err
		}
	}
	if a.token != "" {
		request.Header.Set("Authorization", "Bearer "+a.token)
	}
	return nil
}

// fetch gets a token. Its errors are those of a request that was not sent, or carry the status of the token server.
func (a *restAuth) fetch(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, a.server, strings.NewReader(a.form.Encode()))
	if err != nil {
		return fmt.Errorf("%w: getting a token: %w", errNotSent, err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Accept", "application/json")
	response, err := a.http.Do(request)
	if err != nil {
		return fmt.Errorf("%w: getting a token: %w", errNotSent, err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("getting a token from %s: %w", request.URL.Redacted(), readStatus(response))
	}
	content, err := io.ReadAll(io.LimitReader(response.Body, restErrorBytes))
	if err != nil {
		return fmt.Errorf("%w: getting a token: %w", errNotSent, err)
	}
	var answer struct {
		Token   string `json:"access_token"`
		Seconds int64  `json:"expires_in"`
	}
	if json.Unmarshal(content, &answer) != nil || answer.Token == "" { // without quoting what may be a token
		return fmt.Errorf("getting a token from %s: %w", request.URL.Redacted(), errAnswer)
	}
	a.token, a.expires = answer.Token, time.Time{}
	if answer.Seconds > 0 {
		a.expires = a.now().Add(max(time.Duration(answer.Seconds)*time.Second-tokenSlack, time.Second))
	}
	return nil
}
