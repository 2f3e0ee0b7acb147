package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/firnlog/firn"
)

// app is one run of the program: the outside world and the flags that every verb has.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	now            func() time.Time
	getenv         func(string) string
	terminals      terminals      // nil: those of the operating system
	zone           *time.Location // nil: that of the operating system
	patience       time.Duration  // that rows wait for the histogram; 0: histogramPatience

	lakeURI    string
	catalogURI string
	configPath string
	cacheDir   string
	cacheBytes string
	json       bool
	verbose    bool
	quiet      bool // log nothing unless verbose
	profile    profiles

	config *firn.Config // read when it is first needed
}

// run executes a command line and returns the exit code.
func (a *app) run(ctx context.Context, args []string) int {
	root := a.rootCommand() //nolint:contextcheck // the verbs get it from ExecuteContext
	root.SetArgs(args)
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	err := root.ExecuteContext(ctx)
	if stopErr := a.profile.stop(); err == nil {
		err = stopErr
	}
	code, message := exitCode(err)
	if message != nil {
		a.warnf("%v", message)
		if code == exitUsage {
			fmt.Fprintln(a.stderr, "Run 'firn help' or 'firn VERB --help' for the usage.")
		}
	}
	return code
}

func (a *app) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "firn",
		Short: "Write, index and search logs in Apache Iceberg tables",
		Long: `firn writes logs into plain Apache Iceberg tables, sorted by time, with text indexes beside them, and searches them.

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 done but some input lines were rejected,
4 done but the answer is partial, because a limit was reached.`,
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
		Args:              unknownVerb,
		RunE:              needVerb,
		PersistentPreRunE: func(*cobra.Command, []string) error { return a.profile.start() },
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return asUsage(err) })
	flags := root.PersistentFlags()
	flags.StringVar(&a.lakeURI, "lake", "", "the lake: a directory, s3://bucket/path, hdfs://host:port/path or webhdfs://host:port/path (default $FIRN_LAKE, else ./lake)")
	flags.StringVar(&a.catalogURI, "catalog", "", "where its tables are listed: sqlite:///path, postgres://… or http(s)://… (Iceberg REST) (default $FIRN_CATALOG; in a directory, its catalog.db)")
	flags.StringVar(&a.configPath, "config", "", "configuration `FILE` (default $FIRN_CONFIG, else firn.yaml if there is one)")
	flags.StringVar(&a.cacheDir, "cache", "", "`DIR` of the disk cache for lakes on S3 and HDFS, or off (default $FIRN_CACHE, else the user's cache directory)")
	flags.StringVar(&a.cacheBytes, "cache-bytes", "", "bound of the disk cache, such as 20GiB")
	flags.BoolVar(&a.json, "json", false, "print JSON")
	flags.BoolVarP(&a.verbose, "verbose", "v", false, "log what is done on standard error")
	a.profile.flags(flags)
	root.AddCommand(
		a.createCommand(), a.loadCommand(), a.searchCommand(), a.sqlCommand(), a.tailCommand(), a.explainCommand(), a.patternsCommand(), a.inspectCommand(),
		a.verifyCommand(), a.maintainCommand(), a.dropCommand(), a.versionCommand(),
	)
	return root
}

// needVerb is what a command does that only groups others.
func needVerb(cmd *cobra.Command, _ []string) error {
	cmd.SetOut(cmd.ErrOrStderr())
	if err := cmd.Help(); err != nil {
		return err
	}
	return &exitError{code: exitUsage}
}

// unknownVerb refuses arguments of a command that only groups others.
func unknownVerb(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := ""
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		hint = fmt.Sprintf("; did you mean %q?", near[0])
	}
	return usagef("unknown command %q for %q%s", args[0], cmd.CommandPath(), hint)
}

// noArgs refuses arguments.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("%s takes no arguments, got %q", cmd.CommandPath(), args[0])
	}
	return nil
}

// exactArgs wants these arguments, named for the message.
func exactArgs(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < len(names):
			return usagef("%s: %s is missing", cmd.CommandPath(), names[len(args)])
		case len(args) > len(names):
			return usagef("%s takes %d argument(s), got %d; is something not quoted?", cmd.CommandPath(), len(names), len(args))
		}
		return nil
	}
}

// openTable opens the lake and one of its tables. The caller closes the lake.
func (a *app) openTable(ctx context.Context, name string) (*firn.Lake, *firn.Table, error) {
	lake, err := a.openLake(ctx, false)
	if err != nil {
		return nil, nil, err
	}
	table, err := lake.Table(ctx, name)
	if err != nil {
		err = errors.Join(a.explainMissing(ctx, lake, name, err), lake.Close())
		return nil, nil, err
	}
	return lake, table, nil
}

// explainMissing tells what to do about a table that is not there.
func (a *app) explainMissing(ctx context.Context, lake *firn.Lake, name string, err error) error {
	if !errors.Is(err, firn.ErrTableNotFound) {
		return err
	}
	names, listErr := lake.Tables(ctx)
	switch {
	case listErr != nil:
		return err
	case len(names) == 0:
		return fmt.Errorf("%w; %s has no tables yet: 'firn load %s FILE' makes one", err, a.lakeName(), name)
	}
	const most = 8
	list := fmt.Sprint(names[:min(len(names), most)])
	if len(names) > most {
		list += " and more"
	}
	return fmt.Errorf("%w; %s has %s", err, a.lakeName(), list)
}

// logger returns the logger of the libraries: warnings, or everything with --verbose.
func (a *app) logger() *slog.Logger {
	level := slog.LevelWarn
	switch {
	case a.verbose:
		level = slog.LevelDebug
	case a.quiet:
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{Level: level}))
}
