package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/firnlog/firn"
)

// shownRejects is how many rejected lines load tells about on standard error.
const shownRejects = 5

type loadFlags struct {
	rejects     string
	bufferBytes int64
	fileBytes   int64
}

// loadReport is what load prints with --json. Outside scripts rely on the first eight.
type loadReport struct {
	Rows       int64   `json:"rows"` // in the table now; committed
	Rejected   int64   `json:"rejected"`
	InputBytes int64   `json:"input_bytes"` // uncompressed
	DataBytes  int64   `json:"data_bytes"`
	IndexBytes int64   `json:"index_bytes"`
	Files      int64   `json:"files"`
	Seconds    float64 `json:"seconds"`
	CPUSeconds float64 `json:"cpu_seconds"`

	Table             string           `json:"table"`
	Commits           int64            `json:"commits"`
	Blank             int64            `json:"blank"`
	Misfits           int64            `json:"misfits"`
	DuplicateKeys     int64            `json:"duplicate_keys"`
	RepairedUTF8      int64            `json:"repaired_utf8"`
	RoundedTimestamps int64            `json:"rounded_timestamps"`
	DroppedFields     int64            `json:"dropped_fields"`
	SidecarFailures   int64            `json:"sidecar_failures"`
	Reasons           map[string]int64 `json:"rejected_by_reason"`
	Error             string           `json:"error,omitempty"`
}

func (a *app) loadCommand() *cobra.Command {
	var f loadFlags
	cmd := &cobra.Command{
		Use:   "load TABLE FILE...",
		Short: "Load JSON lines into a table",
		Long: `Load JSON lines into a table, which is made if it is missing.

FILE is plain, gzip or zstd; '-' is standard input. Fields are matched to columns by name, with the usual aliases (timestamp ts time
@timestamp; _msg message msg log body; severity lvl); what has no column goes to attrs, nested objects with dotted names.

A line that cannot be a row is set aside: it is counted, --rejects writes it to a file with the reason, and the exit code is 3.
Interrupted by Ctrl-C, what was committed stays and nothing is half there.`,
		Example: "  firn load web access.jsonl.gz\n  kubectl logs web | firn load web -",
		Args: func(cmd *cobra.Command, args []string) error {
			switch len(args) {
			case 0:
				return usagef("%s: TABLE is missing", cmd.CommandPath())
			case 1:
				return usagef("%s: FILE is missing; '-' is standard input", cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return a.load(cmd.Context(), args[0], args[1:], f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.rejects, "rejects", "", "write rejected lines to `FILE` as JSON lines {file, line, reason, input}")
	flags.Int64Var(&f.bufferBytes, "buffer-bytes", 0, "memory for rows that are not committed yet (default 384 MiB)")
	flags.Int64Var(&f.fileBytes, "file-bytes", 0, "size at which a data file ends and the next begins (default 128 MiB)")
	return cmd
}

func (a *app) load(ctx context.Context, name string, files []string, f loadFlags) error {
	if f.bufferBytes < 0 || f.fileBytes < 0 {
		return usagef("--buffer-bytes and --file-bytes must not be negative")
	}
	total, err := inputSize(files)
	if err != nil {
		return err
	}
	defer a.limitMemory(loadMemoryLimit)()
	l := &loader{app: a, flags: f, files: files, start: a.now(), bar: a.progress(total, "loading")}
	err = l.run(ctx, name)
	l.bar.done()
	return l.conclude(name, err)
}

// inputSize adds up the sizes of the input files, 0 if one is not known, and says early that one is not there.
func inputSize(files []string) (total int64, err error) {
	known := true
	for _, file := range files {
		if file == "-" {
			known = false
			continue
		}
		info, err := os.Stat(file)
		if err != nil {
			return 0, err
		}
		if info.IsDir() {
			return 0, fmt.Errorf("%s is a directory; name the files in it", file)
		}
		known = known && info.Mode().IsRegular()
		total += info.Size()
	}
	if !known {
		return 0, nil
	}
	return total, nil
}

// loader is one run of load.
type loader struct {
	*app
	flags   loadFlags
	files   []string
	start   time.Time
	bar     *bar
	table   string
	writer  *firn.Writer
	rejects *rejectFile
	// writerFailed says that the failure is the writer's, whose message tells what is committed.
	writerFailed bool
}

// run loads all files.
func (l *loader) run(ctx context.Context, name string) (err error) {
	lake, err := l.openLake(ctx, true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lake.Close()) }()
	table, err := lake.Table(ctx, name)
	if errors.Is(err, firn.ErrTableNotFound) {
		table, err = createOrLoad(ctx, lake, name)
	}
	if err != nil {
		return err
	}
	l.table = table.Name()
	if l.rejects, err = newRejectFile(l.flags.rejects); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.rejects.close()) }()
	l.writer, err = lake.Writer(ctx, table, firn.WriterOptions{BufferBytes: l.flags.bufferBytes, TargetFileBytes: l.flags.fileBytes})
	if err != nil {
		return err
	}
	var before int64 // stored bytes of the files that are done
	for _, file := range l.files {
		size, err := l.file(ctx, file, before)
		if err != nil {
			if closeErr := l.closeWriter(ctx); closeErr != nil {
				return closeErr // what the writer failed of, which err repeats
			}
			return err
		}
		before += size
	}
	return l.closeWriter(ctx)
}

// closeWriter commits the last rows and waits until nothing is being written any more. After an interrupt the writer drops what is not
// committed; that takes a moment which the context does not cut short.
func (l *loader) closeWriter(ctx context.Context) error {
	err := l.writer.Close(context.WithoutCancel(ctx))
	l.writerFailed = err != nil
	return err
}

// createOrLoad makes the table, or loads the one that another process made in between.
func createOrLoad(ctx context.Context, lake *firn.Lake, name string) (*firn.Table, error) {
	table, err := lake.Create(ctx, firn.TableSpec{Name: name})
	if errors.Is(err, firn.ErrTableExists) {
		return lake.Table(ctx, name)
	}
	return table, err
}

// file loads one input and returns its stored size.
func (l *loader) file(ctx context.Context, path string, before int64) (size int64, err error) {
	in, err := openInput(ctx, path)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	err = firn.Load(ctx, l.writer, in, firn.LoadOptions{
		Name:    path,
		Rejects: l.reject,
		Progress: func(int64) {
			l.bar.set(before + in.Consumed())
		},
	})
	return in.Size(), err
}

// openInput opens an input, which looks at its first bytes: on a terminal or pipe that may wait for ever, but not after an interrupt.
func openInput(ctx context.Context, path string) (*firn.Input, error) {
	type opened struct {
		in  *firn.Input
		err error
	}
	done := make(chan opened, 1)
	go func() {
		in, err := firn.OpenInput(path)
		done <- opened{in, err}
	}()
	select {
	case o := <-done:
		return o.in, o.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// reject notes a line that was set aside.
func (l *loader) reject(r firn.Reject) {
	if l.rejects.count < shownRejects {
		l.bar.clear()
		l.warnf("%s:%d: rejected: %s", r.Name, r.Line, reasonText(r))
	}
	l.rejects.add(r)
}

// report collects what was done.
func (l *loader) report() loadReport {
	r := loadReport{Table: l.table, Reasons: map[string]int64{}, Seconds: l.now().Sub(l.start).Seconds(), CPUSeconds: cpuSeconds()}
	if l.writer == nil {
		return r
	}
	w := l.writer.Report()
	r.Rows, r.Rejected, r.InputBytes, r.DataBytes, r.IndexBytes, r.Files = w.CommittedRows, w.Rejected, w.InputBytes, w.DataBytes, w.IndexBytes, w.Files
	r.Commits, r.Blank, r.Misfits, r.DuplicateKeys = w.Commits, w.Blank, w.Misfits, w.DuplicateKeys
	r.RepairedUTF8, r.RoundedTimestamps, r.DroppedFields = w.RepairedUTF8, w.RoundedTimestamps, w.DroppedFields
	r.SidecarFailures, r.Reasons = w.SidecarFailures, w.Reasons
	return r
}

// conclude prints the report and turns the outcome into an exit code.
func (l *loader) conclude(name string, failure error) error {
	r := l.report()
	if failure != nil {
		if code, _ := exitCode(failure); code == exitUsage {
			return failure
		}
		failure = l.explain(failure, r)
		r.Error = failure.Error()
	}
	if l.json {
		if err := l.printJSON(r); err != nil {
			return err
		}
	} else if failure == nil {
		if err := l.printReport(name, r); err != nil {
			return err
		}
	}
	if failure != nil {
		return &exitError{exitFailed, failure}
	}
	if r.Rejected > 0 {
		return l.rejected(r)
	}
	return nil
}

// explain says what a failed or interrupted load left in the table.
func (l *loader) explain(failure error, r loadReport) error {
	interrupted := errors.Is(failure, context.Canceled)
	switch {
	case interrupted && l.writer == nil:
		return errors.New("interrupted; nothing was committed")
	case l.writer == nil, l.writerFailed && !interrupted:
		return failure
	}
	what := failure.Error()
	if interrupted {
		what = "interrupted"
	}
	left := "nothing was committed; the table is as it was"
	if r.Rows > 0 {
		left = fmt.Sprintf("%s rows were committed and stay", countText(r.Rows))
		if p := l.writer.Report().Position; p.Line > 0 {
			left += fmt.Sprintf(": everything up to line %d of %s", p.Line, p.Name)
		}
	}
	return fmt.Errorf("%s; %s", what, left)
}

// rejected says that lines were set aside, with exit code 3.
func (l *loader) rejected(r loadReport) error {
	var reasons []string
	for reason, n := range r.Reasons {
		reasons = append(reasons, fmt.Sprintf("%s %s", countText(n), reason))
	}
	hint := "use --rejects FILE to keep them"
	if l.flags.rejects != "" {
		hint = "see " + l.flags.rejects
	}
	return &exitError{exitRejected, fmt.Errorf("%s rejected (%s); %s", plural(r.Rejected, "line"), strings.Join(sorted(reasons), ", "), hint)}
}

// printReport tells people what was loaded.
func (l *loader) printReport(name string, r loadReport) error {
	err := l.printf("Loaded %s (%s of JSON) into %s in %.1f s", plural(r.Rows, "row"), bytesText(r.InputBytes), r.Table, r.Seconds)
	if r.CPUSeconds > 0 {
		err = errors.Join(err, l.printf(", %.0f MB per CPU-second", float64(r.InputBytes)/1e6/r.CPUSeconds))
	}
	err = errors.Join(err, l.printf("\n  %s in %s, %s of data, %s of index\n",
		plural(r.Files, "file"), plural(r.Commits, "commit"), bytesText(r.DataBytes), bytesText(r.IndexBytes)))
	notes := []struct {
		count int64
		text  string
	}{
		{r.Misfits, "values did not fit the type of their column: null there, kept as text in attrs"},
		{r.DuplicateKeys, "fields occurred twice in a line: the last one won"},
		{r.RepairedUTF8, "rows held invalid UTF-8: replaced by U+FFFD"},
		{r.RoundedTimestamps, "timestamps had digits below the microsecond: rounded down"},
		{r.DroppedFields, "values had no column and the table has no attrs"},
		{r.SidecarFailures, "indexes could not be stored: firn maintain index " + name + " builds them"},
	}
	for _, n := range notes {
		if n.count > 0 {
			err = errors.Join(err, l.printf("  %s %s\n", countText(n.count), n.text))
		}
	}
	return err
}
