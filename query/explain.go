package query

import (
	"cmp"
	"maps"
	"slices"
)

// Explanation tells how a search was pruned, why an index was not used, how what is left is read, what that was expected to take and, after a reading, what
// it took. The names of its JSON fields are stable; more may be added.
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

	Steps    []StepReport `json:"steps"`              // how what is left is read, and what is made of it, in order
	Estimate *Estimate    `json:"estimate,omitempty"` // nil: nobody asked before the first reading
	Actual   *Stats       `json:"actual,omitempty"`   // of planning and the latest reading; nil: there was no reading yet
}

// StepReport tells in words what one step of a reading does.
type StepReport struct {
	Step   string `json:"step"`
	Detail string `json:"detail"`
}

// Estimate is what a reading was expected to take when planning had ended, from what was known by then. A limit is taken to be reached by candidates that
// all match.
type Estimate struct {
	Files   int     `json:"files"`      // of which data pages are read
	Rows    int64   `json:"rows"`       // candidates of these files
	Certain int64   `json:"certain"`    // of these, rows that need no check
	Bytes   int64   `json:"bytes_data"` // of their pages
	Stages  []int64 `json:"stages"`     // rows left after each of Explanation.Stages
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
	Predicate string         `json:"predicate"`
	Choices   []ChoiceReport `json:"choices,omitempty"` // whether sidecars were asked, most frequent first
	Outcomes  []Count        `json:"outcomes"`          // most frequent first
}

// ChoiceReport tells for some files whether their sidecars were asked about a condition, and why. The bytes are estimates made before anything was read, the
// mean of the files.
type ChoiceReport struct {
	Asked        bool   `json:"asked"`
	Why          string `json:"why"`
	Files        int    `json:"files"`
	BytesWithout int64  `json:"bytes_without"` // to be read of a data file without its sidecar
	BytesWith    int64  `json:"bytes_with"`    // to be read of its sidecar, to see whether that saves the former
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

// Explanation returns what Explain prints.
func (s *Scan) Explanation() Explanation {
	p := s.planner
	e := Explanation{
		Table: p.table.Name(), Snapshot: p.table.SnapshotID(), Order: p.request.Order.String(), Limit: p.request.Limit, Files: s.metadata.files,
		Rows: s.metadata.rows,
	}
	e.Predicate = text(predicateOf(p.bound.root))
	if e.Predicate == text(nil) {
		e.Predicate = All{}.String()
	}
	outcomes := make([]map[string]int, len(p.bound.leaves))
	residuals := map[string]*ResidualReport{}
	choices := make([]map[choiceKind]*ChoiceReport, len(p.bound.leaves))
	problems := map[string]int{}
	e.Stages = make([]StageReport, numStages)
	for i := range e.Stages {
		e.Stages[i].Stage = stageNames[i]
	}
	e.addMetadata(s.metadata)
	for _, f := range s.listed {
		f.mu.Lock()
		e.addStages(f)
		addOutcomes(outcomes, f)
		addChoices(choices, f)
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
		e.Conditions = append(e.Conditions, ConditionReport{text(l.source), sortedChoices(choices[i]), sortedCounts(outcomes[i])})
	}
	for _, key := range slices.Sorted(maps.Keys(residuals)) {
		e.Residuals = append(e.Residuals, *residuals[key])
	}
	if len(problems) > 0 {
		e.Problems = sortedCounts(problems)
	}
	e.Steps = s.steps()
	s.mu.Lock()
	read := s.latest != nil
	s.mu.Unlock()
	e.Estimate = s.estimateOnce(read, &e)
	if read {
		st := s.Stats()
		e.Actual = &st
	}
	return e
}

// addMetadata takes over the stages that need nothing but the table's metadata.
func (e *Explanation) addMetadata(m metadataTally) {
	for i, st := range m.stages {
		e.Stages[i].Files, e.Stages[i].Skipped, e.Stages[i].RowsLeft = st.Files, st.Skipped, st.RowsLeft
	}
}

func (e *Explanation) addStages(f *filePlan) {
	last := int64(f.rows)
	for i := int(stageBloomPack); i < len(e.Stages); i++ {
		st := &e.Stages[i]
		switch n := f.stageRows[i]; {
		case n != notRun:
			st.Files++
			if n == 0 && last > 0 {
				st.Skipped++
			}
			last = n
		case !f.finished && f.skipped == "" && (i > int(stageTokenBitmap) || i >= int(stageTokenBloom) && f.mayAskLater()) && !f.bounds.decided():
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

func (f *filePlan) mayAskLater() bool {
	return !f.asked && (!f.listed || len(f.asking) > 0) && f.sidecarName != ""
}

func addChoices(choices []map[choiceKind]*ChoiceReport, f *filePlan) {
	for i, c := range f.choices {
		if c.kind == choiceNone {
			continue
		}
		if choices[i] == nil {
			choices[i] = map[choiceKind]*ChoiceReport{}
		}
		r := choices[i][c.kind]
		if r == nil {
			r = &ChoiceReport{Asked: c.kind.asked()}
			choices[i][c.kind] = r
		}
		r.Files++
		r.BytesWithout += c.without
		r.BytesWith += c.with
	}
}

// sortedChoices turns sums into means and words.
func sortedChoices(choices map[choiceKind]*ChoiceReport) []ChoiceReport {
	var list []ChoiceReport
	for kind, r := range choices {
		r.BytesWithout /= int64(r.Files)
		r.BytesWith /= int64(r.Files)
		r.Why = kind.text(r.BytesWithout, r.BytesWith)
		list = append(list, *r)
	}
	slices.SortFunc(list, func(a, b ChoiceReport) int { return cmp.Or(cmp.Compare(b.Files, a.Files), cmp.Compare(a.Why, b.Why)) })
	return list
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

func sortedCounts(counts map[string]int) []Count {
	list := make([]Count, 0, len(counts))
	for what, files := range counts {
		list = append(list, Count{what, files})
	}
	slices.SortFunc(list, func(a, b Count) int { return cmp.Or(cmp.Compare(b.Files, a.Files), cmp.Compare(a.What, b.What)) })
	return list
}
