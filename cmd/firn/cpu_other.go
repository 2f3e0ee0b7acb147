//go:build !unix

package main

// cpuSeconds returns the processor time that this process has used; 0 where the system cannot be asked.
func cpuSeconds() float64 { return 0 }
