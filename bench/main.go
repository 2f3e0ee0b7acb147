// Command bench measures firn: how fast it loads, how large tables and indexes are, and how fast searches are, with and without
// each index.
//
//	go run ./bench [--corpus FILE]... [--data DIR] [--rows N] [--json FILE] [--reps N]   loads and searches
//	go run ./bench stages [same flags]                                                    what each stage of a load costs
//	go run ./bench size   [same flags]                                                    data files against those of DuckDB
//	go run ./bench index  [same flags] [--only SECTION,…] [--pprof FILE]                  what indexes cost and gain, with the targets
//	go run ./bench query  [same flags] [--lake DIR] [--pprof FILE]                        questions of people who debug, with the targets
//	scripts/servers/with-servers go run ./bench remote [same flags]                       lakes on S3 and HDFS against local disk
//
// The corpora are JSON lines, plain, gzip or zstd. Without --corpus they are iotdb, k8s_nezha and web_access (for index nine of them, for query five) in
// --data (default $FIRN_DATA, else ../shared/data), and generated lines if those are not there. The rates are MB (10^6 bytes) of
// uncompressed JSON.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// settings are the flags.
type settings struct {
	corpora []string
	data    string
	rows    int64
	json    string
	reps    int
	scratch string
	only    []string // sections of index, questions of query; none: all
	pprof   string   // file for a CPU profile: of building indexes, of the questions
	explain bool     // also print how the questions were planned
	lakeDir string   // lake to be asked; empty: one is loaded
}

// bench is one run of the program.
type bench struct {
	settings
	ctx     context.Context //nolint:containedctx // lives as long as the program
	out     io.Writer
	corpora []corpus
	program string // the firn program
	machine machine

	defaults []string // corpora that are looked for without --corpus
}

// machine says where the numbers come from.
type machine struct {
	CPUs      int    `json:"cpus"`
	CPUModel  string `json:"cpu_model"`
	GoVersion string `json:"go_version"`
	Commit    string `json:"commit"`
}

func run(ctx context.Context, args []string, out io.Writer) error {
	verb := "run"
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		verb, args = args[0], args[1:]
	}
	b := &bench{ctx: ctx, out: out, machine: thisMachine(), defaults: defaultCorpora}
	flags := flag.NewFlagSet("bench "+verb, flag.ContinueOnError)
	flags.Func("corpus", "a file of JSON lines; repeatable", func(s string) error { b.settings.corpora = append(b.settings.corpora, s); return nil })
	flags.StringVar(&b.data, "data", os.Getenv("FIRN_DATA"), "directory of the default corpora")
	flags.Int64Var(&b.rows, "rows", 0, "use the first N rows of each corpus; 0 is all")
	flags.StringVar(&b.json, "json", "", "also write the results to this file")
	flags.IntVar(&b.reps, "reps", 7, "warm repetitions of each query; the median is shown")
	flags.StringVar(&b.scratch, "scratch", "", "directory for the lakes (default: a temporary one)")
	if verb == "index" {
		b.defaults = indexCorpora
		flags.Func("only", "sections to run, separated by commas: "+strings.Join(indexSectionNames(), ", "), b.setOnly)
		flags.StringVar(&b.pprof, "pprof", "", "write a CPU profile of section build to this file")
	}
	if verb == "query" {
		b.defaults, b.reps = totalCorpora, 20
		flags.Func("only", "questions to ask, by name or kind of answer, separated by commas; scan is one", func(s string) error {
			b.only = append(b.only, strings.Split(s, ",")...)
			return nil
		})
		flags.StringVar(&b.pprof, "pprof", "", "write a CPU profile of the questions to this file")
		flags.BoolVar(&b.explain, "explain", false, "also print how the last run of each question was planned")
		flags.StringVar(&b.lakeDir, "lake", "", "ask the table "+tableName+" of this lake instead of loading the corpora")
	}
	if err := flags.Parse(args); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(b.scratch, "firn-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	b.scratch = dir
	if b.lakeDir == "" {
		if err := b.openCorpora(); err != nil {
			return err
		}
	}
	b.program = filepath.Join(dir, "firn")
	build := exec.CommandContext(ctx, "go", "build", "-o", b.program, "github.com/firnlog/firn/cmd/firn")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("build firn: %w", err)
	}
	fmt.Fprintf(out, "firn %s, %d x %s, %s\n", b.machine.Commit, b.machine.CPUs, b.machine.CPUModel, b.machine.GoVersion)
	var result any
	switch verb {
	case "run":
		result, err = b.searches()
	case "stages":
		result, err = b.stages()
	case "size":
		result, err = b.sizes()
	case "remote":
		result, err = b.remote()
	case "query":
		result, err = b.query()
	case "index":
		result, err = b.index()
	default:
		err = fmt.Errorf("unknown verb %q: want nothing, stages, size, remote, index or query", verb)
	}
	if err != nil {
		return err
	}
	return b.writeJSON(verb, result)
}

// writeJSON writes the results to the file that --json names.
func (b *bench) writeJSON(verb string, result any) error {
	if b.json == "" {
		return nil
	}
	text, err := json.MarshalIndent(map[string]any{"bench": verb, "machine": b.machine, "corpora": b.corpora, "result": result}, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(b.json, append(text, '\n'), 0o644)
}

// thisMachine describes the machine and the sources.
func thisMachine() machine {
	m := machine{CPUs: runtime.NumCPU(), CPUModel: runtime.GOARCH, GoVersion: runtime.Version(), Commit: "of unknown commit"}
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(text)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				m.CPUModel = strings.TrimSpace(value)
				break
			}
		}
	}
	if out, err := exec.Command("git", "describe", "--always", "--dirty").Output(); err == nil {
		m.Commit = strings.TrimSpace(string(out))
	}
	return m
}
