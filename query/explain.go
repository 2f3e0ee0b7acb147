package query

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Explanation tells how a search was pruned, and why an index was not used.
type Explanation struct {
	Table     string `json:"table"`
	Snapshot  int64  `json:"snapshot"`
	Predicate string `json:"predicate"` // with From and To
	Order     string `json:"order"`
	Limit     int    `json:"limit,omitempty"`
	Files     int    `json:"files"` // of the snapshot
	Rows      int64  `json:"rows"`

	Stages     []StageReport     `json:"stages"`     // in the order in which files go through them
	Conditions []ConditionReport `json:"conditions"` // the parts of the predicate, each with what indexes and bounds did for it
	Residuals  []ResidualReport  `json:"residuals"`  // what is left to be read and checked
	Problems   []Count           `json:"index_problems,omitempty"`
	Packs      *PackReport       `json:"bloom_packs,omitempty"` // nil: none were asked
}

// StageReport tells what one stage of pruning did.
type StageReport struct {
	Stage     string `json:"stage"`
	Files     int    `json:"files"`   // that the stage looked at; others needed it not
	Skipped   int    `json:"skipped"` // of these
	RowsLeft  int64  `json:"rows_left"`
	Undecided int    `json:"undecided,omitempty"` // files that have yet to go through the stage, once a reading reaches them
}

// ConditionReport tells what indexes and bounds did for one part of the predicate.
type ConditionReport struct {
	Predicate string  `json:"predicate"`
	Outcomes  []Count `json:"outcomes"` // most frequent first
}

// ResidualReport tells what is left to be done for some files.
type ResidualReport struct {
	Residual   string `json:"residual"` // to be checked for each candidate row that is not certain; empty: nothing
	Files      int    `json:"files"`
	Candidates int64  `json:"candidates"` // rows
	Certain    int64  `json:"certain"`    // of these, rows that need no check
}

// Count is something that happened in a number of files.
type Count struct {
	What  string `json:"what"`
	Files int    `json:"files"`
}

// stageNames are printed in explanations.
var stageNames = [numStages]string{
	"partition", "file bounds", "bloom pack", "token bloom", "token bitmap", "value index", "value bloom", "row-group bounds", "page bounds",
}

// Explanation returns what Explain prints.
func (s *Scan) Explanation() Explanation {
	p := s.planner
	e := Explanation{
		Table: p.table.Name(), Snapshot: p.table.SnapshotID(), Order: p.request.Order.String(), Limit: p.request.Limit, Files: len(s.all),
	}
	e.Predicate = text(predicateOf(p.bound.root))
	if e.Predicate == text(nil) {
		e.Predicate = All{}.String()
	}
	outcomes := make([]map[string]int, len(p.bound.leaves))
	residuals := map[string]*ResidualReport{}
	problems := map[string]int{}
	e.Stages = make([]StageReport, numStages)
	for i := range e.Stages {
		e.Stages[i].Stage = stageNames[i]
	}
	for _, f := range s.all {
		f.mu.Lock()
		e.Rows += int64(f.rows)
		e.addStages(f)
		addOutcomes(outcomes, f)
		if f.skipped == "" {
			s.addResidual(residuals, f)
		}
		if f.problem != "" {
			problems[string(f.problem)]++
		}
		f.mu.Unlock()
	}
	e.Packs = p.packs.get()
	for i, l := range p.bound.leaves {
		e.Conditions = append(e.Conditions, ConditionReport{text(l.source), sortedCounts(outcomes[i])})
	}
	for _, key := range slices.Sorted(maps.Keys(residuals)) {
		e.Residuals = append(e.Residuals, *residuals[key])
	}
	if len(problems) > 0 {
		e.Problems = sortedCounts(problems)
	}
	return e
}

func (e *Explanation) addStages(f *filePlan) {
	last := int64(f.rows)
	for i := range e.Stages {
		st := &e.Stages[i]
		switch n := f.stageRows[i]; {
		case n != notRun:
			st.Files++
			if n == 0 && last > 0 {
				st.Skipped++
			}
			last = n
		case !f.finished && f.skipped == "" && i > int(stageTokenBitmap) && !f.bounds.decided():
			st.Undecided++
		}
		st.RowsLeft += last
	}
}

func addOutcomes(outcomes []map[string]int, f *filePlan) {
	seen := map[note]bool{}
	for _, n := range f.notes {
		if seen[n] {
			continue
		}
		seen[n] = true
		if outcomes[n.leaf] == nil {
			outcomes[n.leaf] = map[string]int{}
		}
		outcomes[n.leaf][n.text()]++
	}
}

func (s *Scan) addResidual(to map[string]*ResidualReport, f *filePlan) {
	text := ""
	if !f.bounds.decided() {
		text = predicateOf(byCost(residual(s.planner.bound.root, f.bounds.may.AndNot(f.bounds.must), f.ofLeaf))).String()
	}
	r := to[text]
	if r == nil {
		r = &ResidualReport{Residual: text}
		to[text] = r
	}
	r.Files++
	r.Candidates += int64(f.bounds.may.Cardinality())
	r.Certain += int64(f.bounds.must.Cardinality())
}

// text says in words what a note means.
func (n note) text() string {
	switch n.kind {
	case noteMetadata:
		return "settled for the whole file by its partition or bounds"
	case noteNoIndex:
		return "index not used: the request forbids it"
	case noteMapKey:
		return "index not used: keys of a map column have none"
	case noteNoColumn:
		return "index not used: the table keeps none for the column"
	case noteNoEvidence:
		return "index not used: the condition implies no whole token"
	case noteTooMany:
		return "index not used: so many values are faster to check than to look up"
	case noteProblem:
		return "index not used: sidecar " + strings.ReplaceAll(n.token, "_", " ")
	case noteBloomAbsent:
		return fmt.Sprintf("bloom filter: no row has %q", n.token)
	case notePackAbsent:
		return fmt.Sprintf("bloom pack: no row has %q", n.token)
	case noteBitmapExact:
		return "bitmap: the exact rows"
	case noteBitmapNarrow:
		return "bitmap: fewer candidates"
	case noteBitmapAbsent:
		return fmt.Sprintf("bitmap: no row has %q", n.token)
	case noteDense:
		return fmt.Sprintf("bitmap: of some rows with %q only the blocks are known", n.token)
	case noteUnindexed:
		return fmt.Sprintf("index not used for %q: a stop word, a short number or too long, or the file has no bitmap of the column", n.token)
	case noteValueBloom:
		return "Parquet bloom filter: fewer row groups"
	case noteRowGroups:
		return "row-group bounds: fewer candidates"
	case notePages:
		return "page bounds: fewer candidates"
	case noteValueNarrow:
		return "value index on " + n.token + ": fewer candidates"
	case noteValueAbsent:
		return "value index on " + n.token + ": no row"
	case noteValueNothing:
		return "value index on " + n.token + ": every block of rows may match"
	case noteValueMissing:
		return "value index on " + n.token + " not used: the file has none"
	case noteValueCost:
		return "value index on " + n.token + " not used: it is larger than what it can save"
	}
	return ""
}

func sortedCounts(counts map[string]int) []Count {
	list := make([]Count, 0, len(counts))
	for what, files := range counts {
		list = append(list, Count{what, files})
	}
	slices.SortFunc(list, func(a, b Count) int { return cmp.Or(cmp.Compare(b.Files, a.Files), cmp.Compare(a.What, b.What)) })
	return list
}

// Explain returns for people what was pruned at each stage and why an index was not used. It tells what is known so far: with a Limit, some
// stages wait until a reading reaches a file.
func (s *Scan) Explain() string {
	e := s.Explanation()
	var b strings.Builder
	fmt.Fprintf(&b, "search   %s\n", e.Predicate)
	fmt.Fprintf(&b, "table    %s, snapshot %d: %s, %s\n", e.Table, e.Snapshot, plural(int64(e.Files), "file"), plural(e.Rows, "row"))
	fmt.Fprintf(&b, "order    %s", e.Order)
	if e.Limit > 0 {
		fmt.Fprintf(&b, ", the first %d", e.Limit)
	}
	fmt.Fprintf(&b, "\n\n%-18s %10s %10s %14s\n", "stage", "files", "skipped", "rows left")
	for _, st := range e.Stages {
		if st.Files == 0 && st.Undecided == 0 {
			fmt.Fprintf(&b, "%-18s %10s\n", st.Stage, "-")
			continue
		}
		fmt.Fprintf(&b, "%-18s %10d %10d %14d", st.Stage, st.Files, st.Skipped, st.RowsLeft)
		if st.Undecided > 0 {
			fmt.Fprintf(&b, "   %s when reached", plural(int64(st.Undecided), "more file"))
		}
		b.WriteByte('\n')
	}
	e.explainConditions(&b)
	b.WriteString("\nleft to read\n")
	if len(e.Residuals) == 0 {
		b.WriteString("  nothing: no file can hold a match\n")
	}
	for _, r := range e.Residuals {
		fmt.Fprintf(&b, "  %s: %s", plural(int64(r.Files), "file"), plural(r.Candidates, "candidate row"))
		if r.Residual == "" {
			b.WriteString(", all of them match\n")
			continue
		}
		fmt.Fprintf(&b, ", %d certain; the others are checked for %s\n", r.Certain, r.Residual)
	}
	return b.String()
}

func (e *Explanation) explainConditions(b *strings.Builder) {
	for i, c := range e.Conditions {
		if i == 0 {
			b.WriteString("\nconditions\n")
		}
		fmt.Fprintf(b, "  %s\n", c.Predicate)
		for _, o := range c.Outcomes {
			fmt.Fprintf(b, "    %-14s %s\n", plural(int64(o.Files), "file"), o.What)
		}
		if len(c.Outcomes) == 0 {
			b.WriteString("    nothing narrowed it down before reading\n")
		}
	}
	for i, problem := range e.Problems {
		if i == 0 {
			b.WriteString("\nsidecars that could not be used (see the log)\n")
		}
		fmt.Fprintf(b, "    %-14s %s\n", plural(int64(problem.Files), "file"), problem.What)
	}
	e.Packs.explain(b)
}

func plural(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.FormatInt(n, 10) + " " + what + "s"
}
