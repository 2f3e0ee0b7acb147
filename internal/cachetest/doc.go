// Package cachetest tests whole searches through storage/cache: what they ask of the store when run for the second time, and what they cost
// compared with a local lake.
package cachetest
