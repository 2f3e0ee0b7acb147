package catalog

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

// The few requests of the Iceberg REST catalog protocol that firn needs, over net/http.
// Source: https://github.com/apache/iceberg/blob/main/open-api/rest-catalog-open-api.yaml
//
// iceberg-go has a client of its own. It is not used, because it tells neither the status of a failed request (so that "422, nothing
// was done" and "200, but the answer was cut off" look alike, where a commit must tell them apart) nor waits for a server that is
// restarting, has no time limits, parses the whole metadata with every load even if nothing has changed, and asks servers to hand out
// storage credentials that firn would not use. Metadata, requirements and updates are iceberg-go's types.
const (
	restDialTime    = 5 * time.Second
	restTimeout     = 30 * time.Second // of a request, from the first byte sent to the last one read
	restPatience    = 30 * time.Second // for a server that is away
	restConnections = 16
	restErrorBytes  = 64 << 10
)

// restClient talks to one server.
type restClient struct {
	base   *url.URL // without /v1
	prefix string   // of the catalog within the server
	http   *http.Client
	auth   *restAuth
	wait   func(ctx context.Context, d time.Duration) error
	now    func() time.Time
	skew   atomic.Int64 // nanoseconds that the server's clock is ahead of ours, 0 if it is about the same
}

// restStatus is an answer that is not a success.
type restStatus struct {
	status  int
	kind    string // the exception's name, as Java has it
	message string
}

func (e *restStatus) Error() string {
	text := http.StatusText(e.status)
	if e.kind != "" {
		text = e.kind
	}
	if e.message != "" {
		text += ": " + e.message
	}
	return fmt.Sprintf("HTTP %d %s", e.status, text)
}

// errNotSent marks requests that never left.
var errNotSent = errors.New("the server cannot be reached")

// statusOf returns the HTTP status that an error is about, or 0.
func statusOf(err error) int {
	var failed *restStatus
	if errors.As(err, &failed) {
		return failed.status
	}
	return 0
}

func newRESTTransport(config *tls.Config) *http.Transport {
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: restDialTime, KeepAlive: 15 * time.Second}).DialContext,
		TLSClientConfig:       config,
		TLSHandshakeTimeout:   restDialTime,
		ResponseHeaderTimeout: restTimeout,
		MaxIdleConnsPerHost:   restConnections,
		IdleConnTimeout:       time.Minute,
		ForceAttemptHTTP2:     true,
	}
}

// restRequest is one request. The answer to 200 is decoded into answer unless that is nil.
type restRequest struct {
	method string
	path   []string // below /v1 and the prefix, each part not yet escaped, except for those made by namespacePath
	root   bool     // below /v1 directly
	query  url.Values
	etag   string
	body   any
	answer any
}

// do makes a request and returns the headers of the answer. Requests that change nothing are made again while the server is away;
// others only if they certainly never left. An ETag that still fits gives a restStatus of 304.
func (c *restClient) do(ctx context.Context, r restRequest) (http.Header, error) {
	var body []byte
	if r.body != nil {
		var err error
		if body, err = json.Marshal(r.body); err != nil {
			return nil, fmt.Errorf("%w: %w", errNotSent, err)
		}
	}
	var waited time.Duration
	refreshed := false
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, longestPause) {
		header, err := c.once(ctx, r, body)
		if status := statusOf(err); (status == http.StatusUnauthorized || status == 419) && !refreshed && c.auth.renews() {
			refreshed = true // the token expired earlier than it said; the request was not carried out
			c.auth.forget()
			continue
		}
		again := (errors.Is(err, errNotSent) || r.method == http.MethodGet && restAway(err)) && !hopeless(err)
		if err == nil || !again || ctx.Err() != nil || waited >= restPatience {
			return header, err
		}
		if errors.Is(err, context.DeadlineExceeded) {
			waited += restTimeout
		}
		if c.wait(ctx, pause) != nil {
			return header, err
		}
		waited += pause
	}
}

// restAway says whether the same request may be answered soon.
func restAway(err error) bool {
	switch status := statusOf(err); status {
	case 0:
		return err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, errAnswer)
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// hopeless says whether an error will be the same next time: a name that does not exist, a certificate that does not fit, HTTP spoken
// to where HTTPS is.
func hopeless(err error) bool {
	var dns *net.DNSError
	var certificate *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	return errors.As(err, &dns) && dns.IsNotFound || errors.As(err, &certificate) || errors.As(err, &record)
}

// errAnswer marks an answer that cannot be understood.
var errAnswer = errors.New("answer not understood")

func (c *restClient) once(ctx context.Context, r restRequest, body []byte) (http.Header, error) {
	ctx, cancel := context.WithTimeout(ctx, restTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, r.method, c.url(r), bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNotSent, err)
	}
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", "firn")
	if r.body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if r.etag != "" {
		request.Header.Set("If-None-Match", r.etag)
	}
	if err := c.auth.authorize(ctx, request); err != nil {
		return nil, err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, notSent(err)
	}
	defer func() { _ = response.Body.Close() }()
	c.compareClocks(response.Header.Get("Date"))
	if response.StatusCode != http.StatusOK && response.StatusCode != http.StatusNoContent {
		return response.Header, readStatus(response)
	}
	content, err := io.ReadAll(response.Body)
	if err != nil {
		return response.Header, fmt.Errorf("%s %s: reading the answer: %w", r.method, request.URL.Path, err)
	}
	if r.answer == nil {
		return response.Header, nil
	}
	if err := json.Unmarshal(content, r.answer); err != nil {
		return response.Header, fmt.Errorf("%s %s: %w: %w", r.method, request.URL.Path, errAnswer, err)
	}
	return response.Header, nil
}

// compareClocks looks at the time in an answer, which has seconds and was a round trip ago.
func (c *restClient) compareClocks(date string) {
	theirs, err := http.ParseTime(date)
	if err != nil {
		return
	}
	skew := theirs.Sub(c.now())
	if skew.Abs() < futureGrace {
		skew = 0
	}
	c.skew.Store(int64(skew))
}

// notSent recognises errors of connections that were never made.
func notSent(err error) error {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" || hopeless(err) {
		return fmt.Errorf("%w: %w", errNotSent, err)
	}
	return err
}

// readStatus reads the error that a server answers with.
func readStatus(response *http.Response) error {
	failed := &restStatus{status: response.StatusCode}
	content, err := io.ReadAll(io.LimitReader(response.Body, restErrorBytes))
	var answer struct {
		Error struct {
			Message string `json:"message"`
			Type    string `json:"type"`
		} `json:"error"`
	}
	if err == nil && json.Unmarshal(content, &answer) == nil {
		failed.kind, failed.message = answer.Error.Type, answer.Error.Message
	}
	return failed
}

func (c *restClient) url(r restRequest) string {
	parts := make([]string, 0, len(r.path)+2)
	parts = append(parts, strings.TrimRight(c.base.EscapedPath(), "/"), "v1")
	if c.prefix != "" && !r.root {
		for part := range strings.SplitSeq(strings.Trim(c.prefix, "/"), "/") {
			parts = append(parts, url.PathEscape(part))
		}
	}
	parts = append(parts, r.path...)
	address := c.base.Scheme + "://" + c.base.Host + strings.Join(parts, "/")
	if len(r.query) > 0 {
		address += "?" + r.query.Encode()
	}
	return address
}

func (c *restClient) close() { c.http.CloseIdleConnections() }
