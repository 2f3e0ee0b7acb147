package ingest

// CPUTime is for the benchmarks.
var CPUTime = cpuTime
