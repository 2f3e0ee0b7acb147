// Package faultproxy is an HTTP reverse proxy for tests and benchmarks. It stands between a client and a real server, delays and counts
// requests, and makes them fail in the ways that networks and servers do.
package faultproxy

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// Proxy forwards requests to one server. The Host header stays as the client sent it, so that signatures (S3's SigV4) remain valid;
// bodies are streamed. All methods are safe for concurrent use.
type Proxy struct {
	target    *url.URL
	listener  net.Listener
	server    *http.Server
	transport *http.Transport
	buffers   sync.Pool

	mu       sync.Mutex
	delay    time.Duration
	rules    []*rule
	healed   chan struct{} // closed by Heal and Close: hanging requests end
	inFlight int
	counts   Counts
	log      []Exchange
	resets   int
}

// New starts a proxy on a free port of 127.0.0.1 for the server at target, such as "http://127.0.0.1:7070".
func New(target string) (*Proxy, error) {
	u, err := url.Parse(target)
	if err != nil {
		return nil, fmt.Errorf("fault proxy for %q: %w", target, err)
	}
	if u.Scheme == "" || u.Host == "" || strings.TrimSuffix(u.Path, "/") != "" {
		return nil, fmt.Errorf("fault proxy: the target %q is not of the form http://host:port", target)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("fault proxy for %q: %w", target, err)
	}
	p := &Proxy{
		target:   u,
		listener: listener,
		transport: &http.Transport{
			DialContext:           (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
			MaxIdleConnsPerHost:   256,
			IdleConnTimeout:       30 * time.Second,
			ExpectContinueTimeout: time.Second,
			DisableCompression:    true,
			ReadBufferSize:        bufferSize,
			WriteBufferSize:       bufferSize,
		},
		buffers: sync.Pool{New: func() any { b := make([]byte, bufferSize); return &b }},
		healed:  make(chan struct{}),
		counts:  Counts{Methods: map[string]int64{}},
	}
	p.server = &http.Server{Handler: p, ReadHeaderTimeout: time.Minute}
	go func() { _ = p.server.Serve(listener) }()
	return p, nil
}

// bufferSize is that of the buffers through which bodies are copied.
const bufferSize = 64 << 10

// URL returns the address that clients use in place of the server's, such as "http://127.0.0.1:41234".
func (p *Proxy) URL() string { return "http://" + p.listener.Addr().String() }

// Close stops the proxy and drops all its connections.
func (p *Proxy) Close() error {
	p.Heal()
	err := p.server.Close()
	p.transport.CloseIdleConnections()
	return err
}

// SetDelay makes every request wait for d before it is forwarded or made to fail. Requests wait independently of each other.
func (p *Proxy) SetDelay(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = d
}

// Inject adds a rule. Of several rules that apply to a request, the one added first is used.
func (p *Proxy) Inject(r Rule) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rules = append(p.rules, &rule{Rule: r})
}

// Heal removes all rules and ends the requests that they make hang. The delay stays.
func (p *Proxy) Heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rules = nil
	close(p.healed)
	p.healed = make(chan struct{})
}

// Fired returns how many requests were made to fail since the last Reset.
func (p *Proxy) Fired() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.counts.Faults
}

// choose returns what to do with a request: the delay, the action (nil: forward it), and a channel that Heal closes.
func (p *Proxy) choose(r *http.Request) (time.Duration, *Action, chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, rule := range p.rules {
		if rule.applies(r) {
			p.counts.Faults++
			return p.delay, &rule.Action, p.healed
		}
	}
	return p.delay, nil, p.healed
}

// ServeHTTP handles one request of a client.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e := &Exchange{Method: r.Method, URL: r.URL.RequestURI(), Range: r.Header.Get("Range"), Start: time.Now()}
	p.begin(e)
	defer p.end(e)
	delay, action, healed := p.choose(r)
	if delay > 0 {
		timer := time.NewTimer(delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done():
			return
		}
	}
	if action == nil {
		action = &Action{}
	}
	action.perform(&exchange{Exchange: e, proxy: p, w: w, r: r, healed: healed})
}

// exchange is a request being served.
type exchange struct {
	*Exchange
	proxy  *Proxy
	w      http.ResponseWriter
	r      *http.Request
	healed chan struct{}
}

// send passes the request on to the server and returns its response, whose body the caller closes.
func (x *exchange) send() (*http.Response, error) {
	out := x.r.Clone(x.r.Context())
	out.RequestURI = ""
	out.URL.Scheme, out.URL.Host = x.proxy.target.Scheme, x.proxy.target.Host
	for _, h := range []string{"Connection", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade"} {
		out.Header.Del(h)
	}
	if _, ok := out.Header["User-Agent"]; !ok {
		out.Header.Set("User-Agent", "") // none, rather than Go's
	}
	if out.ContentLength == 0 {
		out.Body = http.NoBody
	} else {
		out.Body = &countingBody{ReadCloser: x.r.Body, count: &x.received}
	}
	return x.proxy.transport.RoundTrip(out)
}

// reset ends the client's connection with a TCP reset, and drop with an orderly close in the middle of whatever was being sent.
func (x *exchange) reset() { x.hangUp(true) }
func (x *exchange) drop()  { x.hangUp(false) }

func (x *exchange) hangUp(hard bool) {
	conn, _, err := http.NewResponseController(x.w).Hijack()
	if err != nil {
		return // the connection is gone already
	}
	if tcp, ok := conn.(*net.TCPConn); ok && hard {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// errStopped says that a rule cut a body short.
var errStopped = errors.New("cut short by a rule")
