package main

import "runtime/debug"

// loadMemoryLimit is the soft limit of the Go runtime during a load. With the writer's own buffer limit it keeps the process under 1 GiB.
const loadMemoryLimit = 850 << 20

// limitMemory sets the soft memory limit, unless the user set one with GOMEMLIMIT, and returns what restores it.
func (a *app) limitMemory(limit int64) (restore func()) {
	if a.getenv("GOMEMLIMIT") != "" {
		return func() {}
	}
	before := debug.SetMemoryLimit(limit)
	return func() { debug.SetMemoryLimit(before) }
}
