//go:build !unix

package cachetest

import "time"

// cpuTime is not known here.
func cpuTime() time.Duration { return 0 }
