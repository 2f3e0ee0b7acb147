package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"slices"
	"time"

	"github.com/firnlog/firn"
	"github.com/firnlog/firn/query"
)

// queryRun is everything that the verb query measures.
type queryRun struct {
	LoadBefore string `json:"load_average_before"`
	LoadAfter  string `json:"load_average_after"`
	Lake       loaded `json:"lake"`
	checks
	Costs []questionCost `json:"questions"`
	Scan  *scanSpeed     `json:"scan,omitempty"`

	Regexps []regexpCost `json:"regexps,omitempty"`
}

// questionCost is one question, asked in one process again and again. Its numbers are medians of the warm runs, but for the CPU time, which is their mean.
type questionCost struct {
	Question string  `json:"question"`
	What     string  `json:"what"` // count, newest 200, …
	Text     string  `json:"text"`
	Rows     int64   `json:"rows"` // of the answer, or counted
	First    float64 `json:"first_ms"`
	MS       float64 `json:"ms"`
	CPU      float64 `json:"cpu_ms"`
	Target   float64 `json:"target_ms,omitempty"`
	Bytes    int64   `json:"bytes_read"`
	Requests int64   `json:"requests"`
	Pages    int64   `json:"pages_decoded"`
	Decoded  int64   `json:"rows_decoded"`
	Runs     int     `json:"runs"`
}

// scanSpeed is how fast all messages are gone through where no index helps.
type scanSpeed struct {
	MessageMB float64 `json:"message_mb"`
	Text      string  `json:"text"`
	Rate      float64 `json:"mb_per_cpu_second"`
	WallRate  float64 `json:"mb_per_second"`
}

// regexpCost is a regular expression beside the literal that it requires.
type regexpCost struct {
	Expr        string  `json:"expr"`
	Rows        int64   `json:"rows"`
	CPU         float64 `json:"cpu_ms"`
	Literal     string  `json:"literal"`
	LiteralRows int64   `json:"literal_rows"`
	LiteralCPU  float64 `json:"literal_cpu_ms"`
}

// queryBench is one run of the verb query.
type queryBench struct {
	*bench
	lake   *firn.Lake
	table  *firn.Table
	result queryRun
}

// mostTime is how long the warm runs of one question may take together; at least three are made.
const mostTime = 15 * time.Second

// query measures the questions of a person who debugs: one lake of several corpora, everything warm, in one process.
func (b *bench) query() (result *queryRun, err error) {
	q := &queryBench{bench: b}
	q.result.LoadBefore = loadAverage()
	dir := b.lakeDir
	if dir == "" {
		var files []string
		for _, c := range b.corpora {
			files = append(files, c.Path)
		}
		if q.result.Lake, err = b.load("all", "both", files); err != nil {
			return nil, err
		}
		dir = q.result.Lake.dir
	}
	if q.lake, q.table, err = b.open(dir); err != nil {
		return nil, err
	}
	defer func() {
		if closeErr := q.lake.Close(); err == nil {
			err = closeErr
		}
	}()
	questions, scan, err := q.pick()
	if err != nil {
		return nil, err
	}
	runtime.GC() // what choosing left behind is not theirs to pay
	if b.pprof != "" {
		file, err := os.Create(b.pprof)
		if err != nil {
			return nil, err
		}
		defer func() { _ = file.Close() }()
		if err := pprof.StartCPUProfile(file); err != nil {
			return nil, err
		}
		defer pprof.StopCPUProfile()
	}
	q.header()
	for _, question := range questions {
		if err := q.measure(question); err != nil {
			return nil, fmt.Errorf("%s (%s): %w", question.name, question.text, err)
		}
	}
	if err := q.scan(scan); err != nil {
		return nil, err
	}
	q.printQuestions(questions)
	q.result.LoadAfter = loadAverage()
	b.printChecks(q.result.checks)
	fmt.Fprintf(b.out, "\nload average %s before, %s after\n", q.result.LoadBefore, q.result.LoadAfter)
	return &q.result, nil
}

func (q *queryBench) header() {
	q.section(fmt.Sprintf("Questions to one table, in one process, warm: median of %d runs (fewer if they take more than %v together), CPU: mean; "+
		"bytes, requests, pages and rows decoded of one warm run", q.reps, mostTime))
	q.row("question", "what", "rows", "first ms", "ms", "target", "CPU ms", "KB read", "requests", "pages", "rows dec.")
}

// measure asks one question in the ways that it names.
func (q *queryBench) measure(question question) error {
	for _, way := range question.ways {
		if len(q.only) > 0 && !slices.Contains(q.only, way.what) && !slices.Contains(q.only, question.name) {
			continue
		}
		var last asked
		c, err := q.repeatedly(func(q *queryBench) (a asked, err error) {
			last, err = way.ask(q)
			return last, err
		})
		if err != nil {
			return err
		}
		if question.expected >= 0 && way.counts && c.Rows != question.expected {
			return fmt.Errorf("%s: %d rows, want %d", way.what, c.Rows, question.expected)
		}
		c.Question, c.What, c.Text, c.Target = question.name, way.what, question.text, way.target
		q.result.Costs = append(q.result.Costs, c)
		verdict := "-"
		if way.target > 0 {
			verdict = q.result.atMost(question.name+", "+way.what, c.MS, way.target, "ms").text()
		}
		q.row(c.Question, c.What, c.Rows, ms(c.First), ms(c.MS), verdict, ms(c.CPU), c.Bytes/1000, c.Requests, c.Pages, c.Decoded)
		if q.explain {
			fmt.Fprintln(q.out, last.explain())
		}
	}
	return nil
}

// repeatedly asks once cold (as far as firn's caches go) and then warm.
func (q *queryBench) repeatedly(ask func(*queryBench) (asked, error)) (c questionCost, err error) {
	once := func() (asked, float64, error) {
		begin := time.Now()
		a, err := ask(q)
		return a, 1000 * time.Since(begin).Seconds(), err
	}
	if _, c.First, err = once(); err != nil {
		return c, err
	}
	var all []float64
	cpu, start := cpuSeconds(), time.Now()
	for len(all) < 3 || len(all) < q.reps && time.Since(start) < mostTime {
		a, took, err := once()
		if err != nil {
			return c, err
		}
		all = append(all, took)
		c.Rows, c.Bytes, c.Requests, c.Pages, c.Decoded = a.rows, a.stats.BytesRead, a.stats.Requests, a.stats.PagesDecoded, a.stats.RowsDecoded
	}
	c.CPU = 1000 * (cpuSeconds() - cpu) / float64(len(all))
	c.MS, c.Runs = median(all), len(all)
	return c, nil
}

// Targets of what is no matter of milliseconds.
const (
	scanTarget   = 800 // MB of message text per second and core
	regexpTarget = 3   // times what its literal costs
)

// scan goes through all messages for a text that no index knows.
func (q *queryBench) scan(s scanQuestion) error {
	if len(q.only) > 0 && !slices.Contains(q.only, "scan") {
		return nil
	}
	c, err := q.repeatedly(countOf(firn.Contains{Column: firn.Col(messageColumn), Text: s.text}))
	if err != nil {
		return err
	}
	megabytes := float64(s.messageBytes) / 1e6
	q.result.Scan = &scanSpeed{MessageMB: megabytes, Text: s.text, Rate: megabytes / c.CPU * 1000, WallRate: megabytes / c.MS * 1000}
	q.section(fmt.Sprintf("A substring that no index knows, %q, in %.0f MB of messages: %d rows, %s ms, CPU %s ms, %d KB read, %d pages",
		s.text, megabytes, c.Rows, ms(c.MS), ms(c.CPU), c.Bytes/1000, c.Pages))
	fmt.Fprintf(q.out, "  %.0f MB of message text per CPU-second, %.0f MB/s on %d CPUs\n", q.result.Scan.Rate, q.result.Scan.WallRate, runtime.GOMAXPROCS(0))
	q.result.atLeast("substring by full scan", q.result.Scan.Rate, scanTarget, "MB of text per CPU-second")
	for _, r := range s.regexps {
		if err := q.regexp(r); err != nil {
			return err
		}
	}
	return nil
}

// regexp counts the rows of a regular expression and those of its literal.
func (q *queryBench) regexp(r regexpQuestion) error {
	literal, err := q.repeatedly(countOf(firn.Contains{Column: firn.Col(messageColumn), Text: r.literal}))
	if err != nil {
		return err
	}
	expr, err := q.repeatedly(countOf(query.Regexp{Column: firn.Col(messageColumn), Expr: r.expr}))
	if err != nil {
		return err
	}
	fmt.Fprintf(q.out, "  /%s/: %d rows, %s ms, CPU %s ms; ~%q: %d rows, %s ms, CPU %s ms\n", r.expr, expr.Rows, ms(expr.MS), ms(expr.CPU), r.literal,
		literal.Rows, ms(literal.MS), ms(literal.CPU))
	q.result.Regexps = append(q.result.Regexps, regexpCost{r.expr, expr.Rows, expr.CPU, r.literal, literal.Rows, literal.CPU})
	q.result.atMost(fmt.Sprintf("regular expression /%s/ / its literal, CPU", r.expr), expr.CPU/literal.CPU, regexpTarget, "times")
	return nil
}

func (q *queryBench) printQuestions(questions []question) {
	q.section("The questions")
	for _, question := range questions {
		fmt.Fprintf(q.out, "  %-34s %s\n", question.name, question.text)
	}
}
