package ingest

// sortRefs sorts by key and keeps the order of equal keys: a radix sort, least significant byte first, that skips bytes in which all keys agree. It
// returns the sorted refs, which are in one of the two slices, and the other slice as scratch memory for the next time.
func sortRefs(refs, scratch []ref) (sorted, spare []ref) {
	if isSorted(refs) {
		return refs, scratch
	}
	if cap(scratch) < len(refs) {
		scratch = make([]ref, len(refs), cap(refs))
	}
	scratch = scratch[:len(refs)]
	var counts [8][256]uint32
	for _, r := range refs {
		for b := range counts {
			counts[b][byte(r.key>>(8*b))]++
		}
	}
	for b := range counts {
		count := &counts[b]
		shift := 8 * b
		if count[byte(refs[0].key>>shift)] == uint32(len(refs)) {
			continue
		}
		var sum uint32
		for i, n := range count {
			count[i] = sum
			sum += n
		}
		for _, r := range refs {
			digit := byte(r.key >> shift)
			scratch[count[digit]] = r
			count[digit]++
		}
		refs, scratch = scratch, refs
	}
	return refs, scratch
}

func isSorted(refs []ref) bool {
	for i := 1; i < len(refs); i++ {
		if refs[i].key < refs[i-1].key {
			return false
		}
	}
	return true
}
