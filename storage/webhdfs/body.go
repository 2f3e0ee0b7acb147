package webhdfs

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"
)

// errNoContinue says that a datanode took the connection but did not ask for the body.
var errNoContinue = errors.New("the datanode does not react to the request")

// withBody gives a request the bytes of a spool. The datanode is asked to say that it is ready (100 Continue), so that one that hangs is
// found out soon. Once it has said so, it gets the patience that it needs to give up on others in its pipeline.
func withBody(h *http.Request, from *spool, w *watchdog, o Options) *http.Request {
	if from.size == 0 {
		return h
	}
	var ready atomic.Bool
	trace := &httptrace.ClientTrace{Got100Continue: func() { ready.Store(true) }}
	h = h.WithContext(httptrace.WithClientTrace(h.Context(), trace))
	h.Header.Set("Expect", "100-continue")
	w.allow(2 * o.StallTimeout) // the transport itself waits for StallTimeout, then sends the body
	h.Body = io.NopCloser(&uploadReader{from: from.reader(), w: w, ready: &ready, patience: o.PatientTimeout})
	h.ContentLength = from.size
	return h
}

// uploadReader reads the body of an upload for the transport.
type uploadReader struct {
	from     io.Reader
	w        *watchdog
	ready    *atomic.Bool
	begun    bool
	patience time.Duration
}

// Read implements io.Reader.
func (r *uploadReader) Read(p []byte) (int, error) {
	if !r.begun {
		if !r.ready.Load() {
			return 0, errNoContinue
		}
		r.begun = true
		r.w.allow(r.patience)
	}
	n, err := r.from.Read(p)
	if n > 0 {
		r.w.touch()
	}
	return n, err
}
