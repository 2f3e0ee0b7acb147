package faultproxy

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// Rule says which requests fail, and how.
type Rule struct {
	// Match chooses the requests; nil chooses all. It must not read the body.
	Match func(*http.Request) bool
	// Skip is how many of the chosen requests pass before the rule acts.
	Skip int
	// Times is how many requests the rule acts on; 0 is all of them, until Heal.
	Times int
	// Action is what happens to them.
	Action Action
}

// rule is a rule with its state, guarded by Proxy.mu.
type rule struct {
	Rule
	seen int
}

// applies counts a request and says whether the rule acts on it.
func (r *rule) applies(request *http.Request) bool {
	if r.Match != nil && !r.Match(request) {
		return false
	}
	r.seen++
	return r.seen > r.Skip && (r.Times == 0 || r.seen <= r.Skip+r.Times)
}

// Action is what a rule does to a request. The zero Action forwards it.
type Action struct {
	do func(x *exchange)
}

func (a *Action) perform(x *exchange) {
	if a.do == nil {
		x.forward(nil, 0, 0)
		return
	}
	a.do(x)
}

// Status answers with an HTTP status and an S3 error code in an XML body, without asking the server. Status(503, "SlowDown"),
// Status(500, "InternalError") and Status(403, "ExpiredToken") are what S3 itself sends.
func Status(status int, code string) Action {
	return Action{func(x *exchange) {
		body := fmt.Sprintf(`<?xml version="1.0" encoding="UTF-8"?>`+"\n"+
			`<Error><Code>%s</Code><Message>injected by a test</Message><RequestId>FAULTPROXY</RequestId></Error>`, code)
		_, _ = io.Copy(io.Discard, x.r.Body) // as servers do, so that the client can read the answer
		x.w.Header().Set("Content-Type", "application/xml")
		x.w.Header().Set("X-Amz-Request-Id", "FAULTPROXY")
		x.w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		x.w.WriteHeader(status)
		x.status = status
		if x.r.Method != http.MethodHead {
			n, _ := io.WriteString(x.w, body)
			x.sent += int64(n)
		}
	}}
}

// ResetBefore resets the client's connection (TCP RST) and does not ask the server.
func ResetBefore() Action { return Action{(*exchange).reset} }

// ResetAfter lets the server do what was asked, and then resets the client's connection: the client cannot know the outcome.
func ResetAfter() Action {
	return Action{func(x *exchange) {
		response, err := x.send()
		if err == nil {
			_, _ = io.Copy(io.Discard, response.Body)
			_ = response.Body.Close()
			x.status = response.StatusCode
		}
		x.reset()
	}}
}

// Truncate sends the whole header of the server's answer, with its Content-Length, but only the first bytes of the body (half of it if
// bytes is negative, none if its length is not known), and then closes the connection.
func Truncate(bytes int64) Action {
	return Action{func(x *exchange) {
		limit := bytes
		x.forward(func(response *http.Response) {
			if limit < 0 {
				limit = max(0, response.ContentLength/2)
			}
			response.Body = &truncatedBody{ReadCloser: response.Body, left: limit}
		}, 0, 0)
	}}
}

// Slow sends the body of the answer in pieces of so many bytes with a pause before each.
func Slow(bytes int, pause time.Duration) Action {
	return Action{func(x *exchange) { x.forward(nil, bytes, pause) }}
}

// Hang answers nothing until the client gives up or the proxy is healed. The request's body is read, the server is not asked.
func Hang() Action {
	return Action{func(x *exchange) {
		_, _ = io.Copy(io.Discard, x.r.Body)
		select {
		case <-x.r.Context().Done():
		case <-x.healed:
		}
		x.drop()
	}}
}

// HangBody sends the first bytes of the answer's body and then nothing, until the client gives up or the proxy is healed.
func HangBody(bytes int64) Action {
	return Action{func(x *exchange) {
		x.forward(func(response *http.Response) {
			response.Body = &truncatedBody{ReadCloser: response.Body, left: bytes, wait: func() {
				select {
				case <-x.r.Context().Done():
				case <-x.healed:
				}
			}}
		}, 0, 0)
	}}
}

// Edit forwards the request and changes the answer, whose header and status may be set, before the client gets it.
func Edit(edit func(*http.Response)) Action {
	return Action{func(x *exchange) { x.forward(edit, 0, 0) }}
}
