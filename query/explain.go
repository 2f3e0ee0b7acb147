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

// stageNames are printed in explanations.
var stageNames = [numStages]string{
	"partition", "file bounds", "bloom pack", "token bloom", "token bitmap", "value index", "value bloom", "row-group bounds", "page bounds",
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

// asked says whether a choice means that the sidecar was asked.
func (k choiceKind) asked() bool {
	return k == choiceAsked || k == choiceFree || k == choiceForced || k == choiceFrequent || k == choiceOften
}

// text says in words why a file's sidecar was asked or not, with what was expected to be read of the file and of the sidecar.
func (k choiceKind) text(without, with int64) string {
	file, sidecar := kilobytes(without), kilobytes(with)
	switch k {
	case choiceAsked:
		return "index asked: about " + sidecar + " of the sidecar may save reading " + file + " of the file"
	case choiceFree:
		return "index asked: what is needed of the sidecar is in memory, and may save reading " + file + " of the file"
	case choiceForced:
		return "index asked: the request wants it, for " + sidecar + " of the sidecar against " + file + " of the file"
	case choiceOften:
		return "index asked: the file (" + file + " of it) was read so often without that " + sidecar + " of the sidecar pay by now"
	case choiceFrequent:
		return "index asked, and not used: the rows are in all pages, so that a reading that ends early is faster without (" + file + " of the file)"
	case choiceCostly:
		return "index not asked: reading " + file + " of the file costs less than the risk of " + sidecar + " of its sidecar"
	case choiceUnproven:
		return "index not asked: " + sidecar + " of the sidecar are too much to risk for " + file + " of the file as long as nothing tells that they help"
	case choicePointless:
		return "index not asked: whatever it says, the same rows must be read because of the rest of the search"
	case choiceFew:
		return "index not asked for all tokens: reading " + file + " of the candidates that are left costs less than " + sidecar + " of the sidecar"
	case choiceLater:
		return "index not asked yet: a reading decides once it has seen a first piece of the file"
	}
	return ""
}

// kilobytes prints a number of bytes.
func kilobytes(n int64) string {
	if n < 100_000_000 {
		return strconv.FormatInt((n+999)/1000, 10) + " kB"
	}
	return strconv.FormatInt(n/1_000_000, 10) + " MB"
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
		for _, o := range c.Choices {
			fmt.Fprintf(b, "    %-14s %s\n", plural(int64(o.Files), "file"), o.Why)
		}
		for _, o := range c.Outcomes {
			fmt.Fprintf(b, "    %-14s %s\n", plural(int64(o.Files), "file"), o.What)
		}
		if len(c.Outcomes)+len(c.Choices) == 0 {
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
