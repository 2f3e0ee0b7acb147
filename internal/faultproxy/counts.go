package faultproxy

import (
	"maps"
	"slices"
	"time"
)

// Counts is what passed through a proxy since it was made or last reset.
type Counts struct {
	Requests    int64            // requests begun
	Methods     map[string]int64 // requests begun, by HTTP method
	BytesIn     int64            // bytes of request bodies that were passed on to the server
	BytesOut    int64            // bytes of response bodies that were sent to clients
	MaxInFlight int              // most requests that were under way at one moment
	Faults      int64            // requests that a rule acted on
}

// Exchange is one request and its answer.
type Exchange struct {
	Method   string
	URL      string // path and query, as sent
	Range    string // the Range header of the request, "" if none
	Status   int    // of the answer, 0 if there was none
	BytesIn  int64
	BytesOut int64
	Start    time.Time
	End      time.Time

	// What the handler gathers while it runs; moved to the fields above when it ends.
	status         int
	received, sent int64
	resets         int // calls of Reset before it began
}

// Requests returns how many requests were begun since the last Reset.
func (p *Proxy) Requests() int64 { return p.Counts().Requests }

// BytesIn returns how many bytes of request bodies were passed on to the server since the last Reset.
func (p *Proxy) BytesIn() int64 { return p.Counts().BytesIn }

// BytesOut returns how many bytes of response bodies were sent to clients since the last Reset.
func (p *Proxy) BytesOut() int64 { return p.Counts().BytesOut }

// MaxInFlight returns the most requests that were under way at one moment since the last Reset.
func (p *Proxy) MaxInFlight() int { return p.Counts().MaxInFlight }

// Counts returns the counts so far. Bytes are counted when their request ends.
func (p *Proxy) Counts() Counts {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.counts
	c.Methods = maps.Clone(c.Methods)
	return c
}

// Log returns the requests that were begun since the last Reset and have ended, in the order in which they began.
func (p *Proxy) Log() []Exchange {
	p.mu.Lock()
	defer p.mu.Unlock()
	log := slices.Clone(p.log)
	slices.SortStableFunc(log, func(a, b Exchange) int { return a.Start.Compare(b.Start) })
	return log
}

// Reset sets all counts to zero and empties the log. Of requests under way only MaxInFlight will know.
func (p *Proxy) Reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.resets++
	p.counts = Counts{Methods: map[string]int64{}, MaxInFlight: p.inFlight}
	p.log = nil
}

// Rounds returns how many of the logged requests were made one after the other: the size of the largest set of requests of which no
// two were under way at the same moment. With a delay well above the other costs it is the number of sequential round trips.
func (p *Proxy) Rounds() int { return Rounds(p.Log()) }

// Rounds counts sequential round trips; see Proxy.Rounds.
func Rounds(log []Exchange) int {
	sorted := slices.Clone(log)
	slices.SortFunc(sorted, func(a, b Exchange) int { return a.End.Compare(b.End) })
	rounds := 0
	var free time.Time // when the last chosen request ended
	for _, e := range sorted {
		if rounds == 0 || !e.Start.Before(free) {
			rounds++
			free = e.End
		}
	}
	return rounds
}

// begin counts a request that arrives.
func (p *Proxy) begin(e *Exchange) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e.resets = p.resets
	p.counts.Requests++
	p.counts.Methods[e.Method]++
	p.inFlight++
	p.counts.MaxInFlight = max(p.counts.MaxInFlight, p.inFlight)
}

// end counts a request that was answered, or failed.
func (p *Proxy) end(e *Exchange) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e.End = time.Now()
	e.Status, e.BytesIn, e.BytesOut = e.status, e.received, e.sent
	p.inFlight--
	if e.resets != p.resets {
		return
	}
	p.counts.BytesIn += e.BytesIn
	p.counts.BytesOut += e.BytesOut
	p.log = append(p.log, *e)
}
