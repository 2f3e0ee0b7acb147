package main

import (
	"sync"

	"github.com/schollz/progressbar/v3"
)

// bar shows progress in bytes on standard error; nil shows nothing. It is safe for concurrent use.
type bar struct {
	mu sync.Mutex
	pb *progressbar.ProgressBar
}

// progress returns a bar if standard error is a terminal, else nil. A total of 0 means that the end is not known.
func (a *app) progress(total int64, what string) *bar {
	if !a.isTerminal(a.stderr) || a.verbose {
		return nil
	}
	if total <= 0 {
		total = -1
	}
	return &bar{pb: progressbar.NewOptions64(total,
		progressbar.OptionSetWriter(a.stderr),
		progressbar.OptionSetDescription(what),
		progressbar.OptionShowBytes(true),
		progressbar.OptionSetPredictTime(true),
		progressbar.OptionClearOnFinish(),
		progressbar.OptionSetWidth(30),
	)}
}

// set tells how many bytes are done.
func (b *bar) set(bytes int64) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	_ = b.pb.Set64(bytes)
}

// clear makes room for a message.
func (b *bar) clear() {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	_ = b.pb.Clear()
}

// done takes the bar away.
func (b *bar) done() {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	_ = b.pb.Finish()
	_ = b.pb.Clear()
}

// of tells how many bytes of how many are done.
func (b *bar) of(done, total int64) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pb.ChangeMax64(max(total, 1))
	_ = b.pb.Set64(done)
}
