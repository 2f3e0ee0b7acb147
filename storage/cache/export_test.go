package cache

// CPUTime is cpuTime, for tests in package cache_test.
var CPUTime = cpuTime
