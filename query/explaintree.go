package query

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Explain returns for people what was pruned at each stage and why an index was not used, as a tree drawn with lines of Unicode: Explanation().Tree(false). It
// tells what is known so far: with a Limit, some stages wait until a reading reaches a file.
func (s *Scan) Explain() string {
	e := s.Explanation()
	return e.Tree(false)
}

// Tree returns the explanation for people: a tree from the snapshot down to the cost, one line each, drawn with lines of Unicode or, with ascii, with
// characters that every terminal has. What a query holds of control characters is replaced.
func (e *Explanation) Tree(ascii bool) string {
	root := branch{label: "search " + e.Predicate, kids: []branch{
		{label: fmt.Sprintf("table %s, snapshot %d: %s, %s", e.Table, e.Snapshot, plural(int64(e.Files), "file"), plural(e.Rows, "row"))},
		e.stageBranch(), e.conditionBranch(),
	}}
	if b := e.problemBranch(); len(b.kids) > 0 {
		root.kids = append(root.kids, b)
	}
	root.kids = append(root.kids, e.residualBranch(), e.stepBranch(), e.costBranch())
	lines := treeLines{bars: [4]string{"├─ ", "└─ ", "│  ", "   "}}
	if ascii {
		lines.bars = [4]string{"|- ", "`- ", "|  ", "   "}
	}
	lines.out.WriteString(printable(root.label) + "\n")
	for i, kid := range root.kids {
		lines.section(kid, i == len(root.kids)-1)
	}
	return lines.out.String()
}

// branch is a line of a tree and what hangs below it.
type branch struct {
	label string
	cells []string // printed in columns that all lines of a section share
	note  string   // printed after the cells
	kids  []branch
}

// treeLines draws a tree.
type treeLines struct {
	bars [4]string // of a branch, of the last branch, beside the branches below, and where there is none
	out  strings.Builder
}

// treeLine is a branch with what stands before it.
type treeLine struct {
	branch
	before string
}

// section draws a branch below the root, with columns of its own.
func (t *treeLines) section(b branch, last bool) {
	var lines []treeLine
	t.collect(b, "", last, &lines)
	label, widths := 0, []int{}
	for _, l := range lines {
		if len(l.cells) == 0 {
			continue
		}
		label = max(label, utf8.RuneCountInString(l.before+l.label))
		for i, cell := range l.cells {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, l := range lines {
		text := l.before + l.label
		if len(l.cells) > 0 {
			text += strings.Repeat(" ", label-utf8.RuneCountInString(text))
			for i, cell := range l.cells {
				text += strings.Repeat(" ", 2+widths[i]-utf8.RuneCountInString(cell)) + cell
			}
		}
		if l.note != "" {
			text += "  " + l.note
		}
		t.out.WriteString(strings.TrimRight(text, " ") + "\n")
	}
}

func (t *treeLines) collect(b branch, before string, last bool, to *[]treeLine) {
	bar, below := t.bars[0], t.bars[2]
	if last {
		bar, below = t.bars[1], t.bars[3]
	}
	b.label = printable(b.label)
	*to = append(*to, treeLine{b, before + bar})
	for i, kid := range b.kids {
		t.collect(kid, before+below, i == len(b.kids)-1, to)
	}
}

// printable replaces what would break a line or speak to the terminal.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || !unicode.IsPrint(r) && r != ' ' {
			return '?'
		}
		return r
	}, text)
}

// aligned makes branches of which the first words stand in a column.
func aligned(lines [][2]string) (list []branch) {
	width := 0
	for _, l := range lines {
		width = max(width, utf8.RuneCountInString(l[0]))
	}
	for _, l := range lines {
		list = append(list, branch{label: l[0] + strings.Repeat(" ", width-utf8.RuneCountInString(l[0])) + "  " + l[1]})
	}
	return list
}

// stageBranch tells what the stages kept and skipped.
func (e *Explanation) stageBranch() branch {
	b := branch{label: "pruned", cells: []string{"files", "skipped", "rows left"}}
	compared := e.Actual != nil && e.Estimate != nil
	if compared {
		b.cells = []string{"files", "skipped", "rows expected", "rows left"}
	}
	for i, st := range e.Stages {
		line := branch{label: st.Stage, cells: []string{"-", "-", "-"}}
		if compared {
			line.cells = []string{"-", "-", "-", "-"}
		}
		if st.Files > 0 || st.Undecided > 0 {
			line.cells = []string{grouped(int64(st.Files)), grouped(int64(st.Skipped)), grouped(st.RowsLeft)}
			if compared {
				line.cells = slices.Insert(line.cells, 2, grouped(e.Estimate.Stages[i]))
			}
		}
		if st.Undecided > 0 {
			line.note = plural(int64(st.Undecided), "more file") + " when reached"
		}
		b.kids = append(b.kids, line)
	}
	if e.Packs != nil {
		note := fmt.Sprintf("bloom packs: %d asked about %s", e.Packs.Used, plural(int64(e.Packs.Files), "file"))
		line := branch{label: note}
		for _, problem := range slices.Sorted(maps.Keys(e.Packs.Problems)) {
			line.kids = append(line.kids, branch{label: fmt.Sprintf("%d could not be used (see the log): %s", e.Packs.Problems[problem],
				strings.ReplaceAll(string(problem), "_", " "))})
		}
		b.kids = append(b.kids, line)
	}
	return b
}

// conditionBranch tells what was chosen and what came of it for each condition.
func (e *Explanation) conditionBranch() branch {
	b := branch{label: "conditions"}
	if len(e.Conditions) == 0 {
		b.kids = []branch{{label: "none: every row matches, or none does"}}
	}
	for _, c := range e.Conditions {
		var lines [][2]string
		for _, o := range c.Choices {
			lines = append(lines, [2]string{plural(int64(o.Files), "file"), o.Why})
		}
		for _, o := range c.Outcomes {
			lines = append(lines, [2]string{plural(int64(o.Files), "file"), o.What})
		}
		kid := branch{label: c.Predicate, kids: aligned(lines)}
		if len(lines) == 0 {
			kid.kids = []branch{{label: "nothing narrowed it down before reading"}}
		}
		b.kids = append(b.kids, kid)
	}
	return b
}

func (e *Explanation) problemBranch() branch {
	var lines [][2]string
	for _, problem := range e.Problems {
		lines = append(lines, [2]string{plural(int64(problem.Files), "file"), strings.ReplaceAll(problem.What, "_", " ")})
	}
	return branch{label: "sidecars that could not be used (see the log)", kids: aligned(lines)}
}

// residualBranch tells what is left to be read and checked.
func (e *Explanation) residualBranch() branch {
	b := branch{label: "left to read"}
	var lines [][2]string
	for _, r := range e.Residuals {
		what := plural(r.Candidates, "candidate row")
		if r.Residual == "" {
			what += ", all of them match"
		} else {
			what += ", " + grouped(r.Certain) + " certain; the others are checked for " + r.Residual
		}
		lines = append(lines, [2]string{plural(int64(r.Files), "file"), what})
	}
	if b.kids = aligned(lines); len(b.kids) == 0 {
		b.kids = []branch{{label: "nothing: no file can hold a match"}}
	}
	return b
}

func (e *Explanation) stepBranch() branch {
	var lines [][2]string
	for _, s := range e.Steps {
		lines = append(lines, [2]string{s.Step, s.Detail})
	}
	return branch{label: "steps", kids: aligned(lines)}
}

// costBranch tells what a reading is expected to take, and what it took.
func (e *Explanation) costBranch() branch {
	b := branch{label: "cost", cells: []string{"expected"}}
	lines := e.estimates()
	if e.Actual != nil {
		b.cells = append(b.cells, "really")
		e.addActual(lines)
		lines = append(lines, e.actuals()...)
		for i := range lines {
			if len(lines[i].cells) == 1 {
				lines[i].cells = slices.Insert(lines[i].cells, 0, "")
			}
		}
		b.kids = append(lines, e.skipBranch()...)
		return b
	}
	b.kids = lines
	return b
}

// estimates returns the lines that have an estimate.
func (e *Explanation) estimates() []branch {
	cells := func(n func(*Estimate) string) []string {
		if e.Estimate == nil {
			return []string{"?"}
		}
		return []string{n(e.Estimate)}
	}
	return []branch{
		{label: "files read", cells: cells(func(x *Estimate) string { return grouped(int64(x.Files)) })},
		{label: "rows read or counted", cells: cells(func(x *Estimate) string { return grouped(x.Rows) })},
		{label: "bytes of data pages", cells: cells(func(x *Estimate) string { return grouped(x.Bytes) })},
	}
}

// addActual puts what really happened beside the estimates.
func (e *Explanation) addActual(lines []branch) {
	for i, n := range []int64{int64(e.Actual.FilesRead), e.Actual.RowsDecoded, e.Actual.BytesData} {
		lines[i].cells = append(lines[i].cells, grouped(n))
	}
}

// actuals returns the lines of which there is no estimate.
func (e *Explanation) actuals() []branch {
	st := e.Actual
	lines := []branch{
		{label: "rows that match", cells: []string{grouped(st.RowsMatched)}},
		{label: "bytes of footers and page indexes", cells: []string{grouped(st.BytesFooters)}},
		{label: "bytes of sidecars and packs", cells: []string{grouped(st.BytesIndex)}},
		{label: "requests", cells: []string{grouped(st.Requests)}},
		{label: "pages decoded", cells: []string{grouped(st.PagesDecoded)}},
		{label: "time: metadata", cells: []string{milliseconds(st.MetadataMillis)}},
		{label: "time: indexes and footers", cells: []string{milliseconds(st.IndexMillis)}},
		{label: "time: planning, with these", cells: []string{milliseconds(st.PlanMillis)}},
		{label: "time: reading", cells: []string{milliseconds(st.ReadMillis)}},
		{label: "cache: table states found", cells: []string{hits(st.PlanHits, st.PlanMisses)}},
		{label: "cache: sidecars found", cells: []string{hits(st.SidecarHits, st.SidecarMisses)}},
		{label: "cache: footers found", cells: []string{hits(st.FooterHits, st.FooterMisses)}},
	}
	if st.Groups > 0 {
		lines = append(lines, branch{label: "groups", cells: []string{grouped(st.Groups)}})
	}
	if st.RowsByFacts > 0 {
		lines = append(lines, branch{label: "rows told by bounds and indexes", cells: []string{grouped(st.RowsByFacts)}})
	}
	if st.Partial != "" {
		lines = append(lines, branch{label: "partial: " + st.Partial})
	}
	return lines
}

// skipBranch tells why files were not read.
func (e *Explanation) skipBranch() []branch {
	var lines [][2]string
	for _, reason := range slices.SortedFunc(maps.Keys(e.Actual.FilesSkipped), func(a, b SkipReason) int {
		return cmp.Or(cmp.Compare(e.Actual.FilesSkipped[b], e.Actual.FilesSkipped[a]), cmp.Compare(a, b))
	}) {
		lines = append(lines, [2]string{plural(int64(e.Actual.FilesSkipped[reason]), "file"), skipWords[reason]})
	}
	if len(lines) == 0 {
		return nil
	}
	return []branch{{label: "files not read", kids: aligned(lines)}}
}

func milliseconds(ms float64) string { return strconv.FormatFloat(ms, 'f', 3, 64) + " ms" }

func hits(found, loaded int64) string { return grouped(found) + " of " + grouped(found+loaded) }
