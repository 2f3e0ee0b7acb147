package cache

import (
	"fmt"
	"sync/atomic"
)

// Stats are what a cache did since it was opened. A block is counted once for each read that takes bytes from it.
type Stats struct {
	MemoryHits  int64 // blocks served from memory, also those that another reader's fetch has just brought
	MemoryBytes int64 // bytes of them that callers asked for
	DiskHits    int64 // blocks served from the disk, verified
	DiskBytes   int64 // bytes of them that callers asked for
	Misses      int64 // blocks that were in neither
	MissBytes   int64 // bytes of them that callers asked for

	InnerRequests int64 // reads and Stats that the cache made on the store below: fetches, revalidations, bypasses
	InnerBytes    int64 // bytes that those returned
	Joined        int64 // misses that waited for a fetch that another reader had begun

	Stored       int64 // blocks written to the disk
	StoredBytes  int64 // bytes of those files
	Skipped      int64 // blocks not written: the directory is in trouble, or the disk is nearly full
	Evicted      int64 // blocks deleted from the disk to keep the bounds, by this process
	EvictedBytes int64 // what they occupied

	Damaged     int64 // blocks that were damaged, cut short or foreign, and were deleted
	Errors      int64 // operations on the directory that failed
	Bypassed    int64 // reads of names that are not cached, and reads that went past the cache because it was closed or contradicted
	Revalidated int64 // times that the store was asked whether an object is still the same
	Replaced    int64 // objects that were not, and were dropped
}

// String returns the essentials in one line.
func (s Stats) String() string {
	return fmt.Sprintf("%d memory hits, %d disk hits, %d misses, %d requests to the store for %d bytes, %d stored, %d evicted, %d damaged, %d errors",
		s.MemoryHits, s.DiskHits, s.Misses, s.InnerRequests, s.InnerBytes, s.Stored, s.Evicted, s.Damaged, s.Errors)
}

// counters are the fields of Stats.
type counters struct {
	memoryHits, memoryBytes, diskHits, diskBytes, misses, missBytes atomic.Int64
	innerRequests, innerBytes, joined                               atomic.Int64
	stored, storedBytes, skipped, evicted, evictedBytes             atomic.Int64
	damaged, errors, bypassed, revalidated, replaced                atomic.Int64
}

// Stats returns the counts so far. Each is exact; while reads run, they may be of slightly different moments.
func (s *Store) Stats() Stats {
	c := &s.counters
	return Stats{
		MemoryHits:    c.memoryHits.Load(),
		MemoryBytes:   c.memoryBytes.Load(),
		DiskHits:      c.diskHits.Load(),
		DiskBytes:     c.diskBytes.Load(),
		Misses:        c.misses.Load(),
		MissBytes:     c.missBytes.Load(),
		InnerRequests: c.innerRequests.Load(),
		InnerBytes:    c.innerBytes.Load(),
		Joined:        c.joined.Load(),
		Stored:        c.stored.Load(),
		StoredBytes:   c.storedBytes.Load(),
		Skipped:       c.skipped.Load(),
		Evicted:       c.evicted.Load(),
		EvictedBytes:  c.evictedBytes.Load(),
		Damaged:       c.damaged.Load(),
		Errors:        c.errors.Load(),
		Bypassed:      c.bypassed.Load(),
		Revalidated:   c.revalidated.Load(),
		Replaced:      c.replaced.Load(),
	}
}
