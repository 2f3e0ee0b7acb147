package faultproxy

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// fixture is a server that answers with what it was asked, a proxy before it, and a client of the proxy.
type fixture struct {
	*Proxy
	asked  atomic.Int64 // requests that reached the server
	client *http.Client
}

func newFixture(t *testing.T) *fixture {
	f := &fixture{client: &http.Client{Transport: &http.Transport{DisableCompression: true}}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.asked.Add(1)
		w.Header().Set("X-Host", r.Host)
		w.Header().Set("X-Uri", r.RequestURI)
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		if r.Method == http.MethodGet {
			body = bytes.Repeat([]byte("0123456789"), 20_000)
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		_, _ = w.Write(body)
	}))
	proxy, err := New(server.URL)
	require.NoError(t, err)
	f.Proxy = proxy
	t.Cleanup(func() {
		f.client.CloseIdleConnections()
		require.NoError(t, proxy.Close())
		server.Close()
	})
	return f
}

// do sends one request and returns the answer with its body read.
func (f *fixture) do(t testing.TB, method, uri, body string) (*http.Response, []byte, error) {
	request, err := http.NewRequestWithContext(t.Context(), method, f.URL()+uri, strings.NewReader(body))
	require.NoError(t, err)
	request.Host = "bucket.example.com"
	response, err := f.client.Do(request)
	if err != nil {
		return nil, nil, err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	return response, content, err
}

func TestForward(t *testing.T) {
	f := newFixture(t)
	const odd = "/bucket/a%20b/c%2Fd+e%2B/%E6%97%A5?list-type=2&prefix=a%2Fb&x"
	for range 3 {
		response, body, err := f.do(t, http.MethodPut, odd, "hello")
		require.NoError(t, err)
		require.Equal(t, "hello", string(body))
		require.Equal(t, "bucket.example.com", response.Header.Get("X-Host"), "the Host header is the client's")
		require.Equal(t, odd, response.Header.Get("X-Uri"), "the path is not encoded anew")
	}
	_, body, err := f.do(t, http.MethodGet, "/", "")
	require.NoError(t, err)
	require.Len(t, body, 200_000)
	require.Eventually(t, func() bool { return len(f.Log()) == 4 }, 5*time.Second, time.Millisecond)
	counts := f.Counts()
	require.EqualValues(t, 4, counts.Requests)
	require.Equal(t, map[string]int64{"PUT": 3, "GET": 1}, counts.Methods)
	require.EqualValues(t, 15, counts.BytesIn)
	require.EqualValues(t, 200_015, counts.BytesOut)
	require.Equal(t, 4, f.Rounds())
	f.Reset()
	require.Zero(t, f.Requests())
}

func TestDelaysOverlap(t *testing.T) {
	f := newFixture(t)
	f.SetDelay(100 * time.Millisecond)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			_, _, err := f.do(t, http.MethodPut, "/", "x")
			assert.NoError(t, err)
		})
	}
	group.Wait()
	require.Greater(t, f.MaxInFlight(), 1, "requests wait side by side")
	for _, e := range f.Log() {
		require.GreaterOrEqual(t, e.End.Sub(e.Start), 100*time.Millisecond)
	}
	_, _, err := f.do(t, http.MethodPut, "/", "x")
	require.NoError(t, err)
	require.Eventually(t, func() bool { return len(f.Log()) == 9 }, 5*time.Second, time.Millisecond)
	require.GreaterOrEqual(t, f.Rounds(), 2)
	require.Less(t, f.Rounds(), 9)
}

func TestRounds(t *testing.T) {
	at := func(start, end int) Exchange {
		return Exchange{Start: time.Unix(int64(start), 0), End: time.Unix(int64(end), 0)}
	}
	require.Equal(t, 0, Rounds(nil))
	require.Equal(t, 1, Rounds([]Exchange{at(0, 10), at(1, 9), at(2, 11)}))
	require.Equal(t, 3, Rounds([]Exchange{at(20, 30), at(0, 10), at(10, 20), at(5, 25)}))
}

func TestStatus(t *testing.T) {
	f := newFixture(t)
	puts := func(r *http.Request) bool { return r.Method == http.MethodPut }
	f.Inject(Rule{Match: puts, Skip: 1, Times: 2, Action: Status(503, "SlowDown")})
	var statuses []int
	for range 5 {
		response, body, err := f.do(t, http.MethodPut, "/", "x")
		require.NoError(t, err)
		if response.StatusCode == 503 {
			require.Contains(t, string(body), "<Code>SlowDown</Code>")
		}
		statuses = append(statuses, response.StatusCode)
		response, _, err = f.do(t, http.MethodPost, "/", "x")
		require.NoError(t, err)
		require.Equal(t, 200, response.StatusCode)
	}
	require.Equal(t, []int{200, 503, 503, 200, 200}, statuses)
	require.EqualValues(t, 8, f.asked.Load())
	require.EqualValues(t, 2, f.Fired())
	response, body, err := f.do(t, http.MethodHead, "/", "")
	require.NoError(t, err)
	require.Equal(t, 200, response.StatusCode)
	require.Empty(t, body)
}

func TestResets(t *testing.T) {
	f := newFixture(t)
	f.Inject(Rule{Times: 1, Action: ResetBefore()})
	_, _, err := f.do(t, http.MethodPut, "/", "x")
	require.Error(t, err)
	require.Zero(t, f.asked.Load())
	f.Inject(Rule{Times: 1, Action: ResetAfter()})
	_, _, err = f.do(t, http.MethodPut, "/", "x")
	require.Error(t, err)
	require.EqualValues(t, 1, f.asked.Load())
	_, _, err = f.do(t, http.MethodPut, "/", "x")
	require.NoError(t, err)
}

func TestBodies(t *testing.T) {
	f := newFixture(t)
	f.Inject(Rule{Times: 1, Action: Truncate(1000)})
	f.Inject(Rule{Times: 1, Action: Truncate(-1)})
	for _, want := range []int{1000, 100_000} {
		response, body, err := f.do(t, http.MethodGet, "/", "")
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		require.EqualValues(t, 200_000, response.ContentLength)
		require.Len(t, body, want)
	}
	f.Inject(Rule{Times: 1, Action: Slow(50_000, 20*time.Millisecond)})
	start := time.Now()
	_, body, err := f.do(t, http.MethodGet, "/", "")
	require.NoError(t, err)
	require.Len(t, body, 200_000)
	require.GreaterOrEqual(t, time.Since(start), 80*time.Millisecond)
	f.Inject(Rule{Times: 1, Action: Edit(func(r *http.Response) { r.Header.Set("X-Host", "edited") })})
	response, _, err := f.do(t, http.MethodPut, "/", "x")
	require.NoError(t, err)
	require.Equal(t, "edited", response.Header.Get("X-Host"))
}

func TestHangs(t *testing.T) {
	f := newFixture(t)
	f.client.Timeout = 50 * time.Millisecond
	for _, action := range []Action{Hang(), HangBody(10)} {
		f.Inject(Rule{Action: action})
		_, _, err := f.do(t, http.MethodGet, "/", "")
		require.Error(t, err)
		f.client.Timeout = 0
		done := make(chan error, 1)
		go func() {
			_, _, err := f.do(t, http.MethodGet, "/", "")
			done <- err
		}()
		require.Eventually(t, func() bool { return f.Fired() >= 2 }, 5*time.Second, time.Millisecond)
		f.Heal()
		require.Error(t, <-done)
		_, _, err = f.do(t, http.MethodGet, "/", "")
		require.NoError(t, err)
		f.Reset()
		f.client.Timeout = 50 * time.Millisecond
	}
}

func TestServerGone(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	f := &fixture{client: &http.Client{Transport: &http.Transport{}}}
	proxy, err := New(server.URL)
	require.NoError(t, err)
	defer func() { require.NoError(t, proxy.Close()) }()
	f.Proxy = proxy
	server.Close()
	_, _, err = f.do(t, http.MethodPut, "/", "x")
	require.Error(t, err)
	for _, bad := range []string{"", "127.0.0.1:80", "http://host/path", "::"} {
		_, err := New(bad)
		require.Error(t, err, bad)
	}
}
