package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/firnlog/firn"
)

// indexCorpora are what the verb index measures by default: the six that have targets, and small ones.
var indexCorpora = []string{
	"iotdb", "k8s_nezha", "web_access", "postgres", "winevt_winlogbeat", "zeek_wrccdc", "cloudtrail_invictus", "docker_honeypot", "loghub_samples",
}

// Lakes of several corpora.
var (
	mixedCorpora = []string{"k8s_nezha", "web_access", "postgres", "zeek_wrccdc"}
	totalCorpora = []string{"iotdb", "k8s_nezha", "web_access", "postgres", "zeek_wrccdc"}
)

// smallCorpus is the size up to which a corpus is left out where only large ones tell anything.
const smallCorpus = 64 << 20

// indexSection is one table that the verb index prints.
type indexSection struct {
	name string
	run  func(*indexBench) error
}

// indexSections are in the order in which they run.
func indexSections() []indexSection {
	return []indexSection{
		{"sizes", (*indexBench).sizes},
		{"total", (*indexBench).total},
		{"build", (*indexBench).builds},
		{"memory", (*indexBench).memory},
		{"frequent", (*indexBench).frequentWords},
		{"patterns", (*indexBench).patterns},
		{"values", (*indexBench).values},
		{"files", (*indexBench).smallFiles},
		{"never", (*indexBench).neverLoses},
		{"load", (*indexBench).loadCosts},
	}
}

func indexSectionNames() []string {
	var names []string
	for _, s := range indexSections() {
		names = append(names, s.name)
	}
	return names
}

// setOnly reads the flag --only.
func (s *settings) setOnly(text string) error {
	for name := range strings.SplitSeq(text, ",") {
		if !slices.Contains(indexSectionNames(), name) {
			return fmt.Errorf("there is no section %q; sections are %s", name, strings.Join(indexSectionNames(), ", "))
		}
		s.only = append(s.only, name)
	}
	return nil
}

// indexBench is one run of the verb index.
type indexBench struct {
	*bench
	lakes   map[string]loaded
	digests map[string]*digest
	result  indexResult
}

// indexResult is everything that the verb index measures. Sections that did not run are empty.
type indexResult struct {
	LoadBefore string `json:"load_average_before"`
	LoadAfter  string `json:"load_average_after"`
	checks
	Sizes    []indexSize      `json:"sizes,omitempty"`
	Total    *totalSize       `json:"total,omitempty"`
	Loads    []loadCost       `json:"loads,omitempty"`
	Builds   []buildCost      `json:"builds,omitempty"`
	Memory   []memoryCost     `json:"memory,omitempty"`
	Frequent []frequentWord   `json:"frequent,omitempty"`
	Files    []smallFilesCost `json:"files,omitempty"`
	Patterns []patternCost    `json:"patterns,omitempty"`
	Values   []valueCost      `json:"values,omitempty"`
	Never    []queryCost      `json:"never,omitempty"`
}

// index measures what the table of numbers asks for.
func (b *bench) index() (*indexResult, error) {
	x := &indexBench{bench: b, lakes: map[string]loaded{}, digests: map[string]*digest{}}
	x.result.LoadBefore = loadAverage()
	fmt.Fprintf(b.out, "load average %s\n", x.result.LoadBefore)
	if b.rows > 0 {
		fmt.Fprintf(b.out, "only the first %d rows of each corpus: the targets are meant for whole ones\n", b.rows)
	}
	for _, s := range indexSections() {
		if len(b.only) > 0 && !slices.Contains(b.only, s.name) {
			continue
		}
		if err := s.run(x); err != nil {
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
	}
	x.result.LoadAfter = loadAverage()
	x.printChecks(x.result.checks)
	fmt.Fprintf(b.out, "\nload average %s before, %s after\n", x.result.LoadBefore, x.result.LoadAfter)
	return &x.result, nil
}

// loadAverage is how busy the machine is: runnable processes, averaged over 1, 5 and 15 minutes.
func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	fields := strings.Fields(string(text))
	if err != nil || len(fields) < 3 {
		return "unknown"
	}
	return strings.Join(fields[:3], " ")
}

// corpusNamed finds a corpus.
func (b *bench) corpusNamed(name string) (corpus, bool) {
	i := slices.IndexFunc(b.corpora, func(c corpus) bool { return c.Name == name })
	if i < 0 {
		return corpus{}, false
	}
	return b.corpora[i], true
}

// corporaNamed finds corpora, all or none.
func (b *bench) corporaNamed(names []string) []corpus {
	var list []corpus
	for _, name := range names {
		c, ok := b.corpusNamed(name)
		if !ok {
			return nil
		}
		list = append(list, c)
	}
	return list
}

// lake returns the lake of that name with the default indexes, which it loads when it is first asked for: of one corpus, "mixed" or "total".
// A lake that the corpora do not suffice for has no name.
func (x *indexBench) lake(name string) (loaded, error) {
	if l, ok := x.lakes[name]; ok {
		return l, nil
	}
	var files []string
	switch name {
	case "mixed":
		list := x.corporaNamed(mixedCorpora)
		if list == nil {
			return loaded{}, nil
		}
		path := filepath.Join(x.scratch, "mixed.jsonl.zst")
		if err := mixCorpora(path, list, mixedStart, mixedSpan); err != nil {
			return loaded{}, err
		}
		files = []string{path}
	case "total":
		for _, c := range x.corporaNamed(totalCorpora) {
			files = append(files, c.Path)
		}
	default:
		if c, ok := x.corpusNamed(name); ok {
			files = []string{c.Path}
		}
	}
	if files == nil {
		return loaded{}, nil
	}
	l, err := x.load(name, "default", files)
	if err != nil {
		return loaded{}, err
	}
	x.lakes[name] = l
	return l, nil
}

// withLake opens one of the lakes, calls do, and closes it.
func (x *indexBench) withLake(l loaded, do func(*firn.Lake, *firn.Table) error) error {
	lake, table, err := x.open(l.dir)
	if err != nil {
		return err
	}
	err = do(lake, table)
	if closeErr := lake.Close(); err == nil {
		err = closeErr
	}
	return err
}
