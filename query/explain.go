package query

// Explanation tells how a search was pruned.
type Explanation struct{}

// Explain returns for people what was pruned at each stage and why an index was not used.
func (s *Scan) Explain() string { return "" }

// Explanation returns what Explain prints.
func (s *Scan) Explanation() Explanation { return Explanation{} }
