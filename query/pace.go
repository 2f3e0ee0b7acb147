package query

import "math"

// density returns which part of the rows that were gone through matches: a guess as yield is, but one that does not depend on how much an index knew.
func (r *reading) density() float64 {
	spanned := r.spanned.Load()
	if spanned == 0 {
		return 1
	}
	return float64(r.hits.Load()+1) / float64(spanned+1)
}

// byRows says whether the pieces of files are cut by how many rows they span, and not by how many candidates they have. Then a search with indexes goes
// through the same rows as one without, and reads no page that the other does not.
func (r *reading) byRows() bool {
	return r.limit != math.MaxInt64 && !r.scan.planner.engine.remote()
}

// boldness is how much farther a reading is expected to go than its density says, as long as nothing was found: how often a word occurs varies by orders
// of magnitude.
const boldness = 8

// shareOf guesses which part of a file the reading will go through.
func (r *reading) shareOf(f *filePlan) share {
	p := r.scan.planner
	if !r.byRows() || !f.data.TimeSorted {
		return 1
	}
	need, spanned, hits := float64(r.limit-r.matched.Load()), float64(r.spanned.Load()), float64(r.hits.Load())
	if spanned == 0 {
		if p.needles {
			return 1
		}
		return unknownYet
	}
	rows := need * (spanned + 1) / (hits + 1)
	if hits == 0 {
		rows *= boldness
	}
	return share(min(1, rows/max(1, float64(f.rows)*p.windowShare(f))))
}
