// Command firn writes, indexes and searches logs in Apache Iceberg tables.
//
//	firn create  TABLE [--column name:type]... [--index col=bitmap|bloom|none]... [--value-bloom col]... [--partition-by col]
//	firn load    TABLE FILE...
//	firn search  TABLE QUERY [--from T] [--to T] [--limit N] [--order newest|oldest] [--count] [--columns a,b] [--format F] [--color WHEN] [--max-time T]
//	                         [--max-bytes N] [--max-rows N] [--no-index] [--force-index] [--stats]
//	firn search  TABLE --dsl FILE [same flags]
//	firn sql     STATEMENT [--format F] [--color WHEN] [--from T] [--to T] [--max-time T] [--max-bytes N] [--max-rows N] [--no-index] [--force-index] [--stats]
//	firn tail    TABLE QUERY [-n N] [--interval TIME] [--columns a,b]
//	firn explain TABLE QUERY [same flags]
//	firn inspect lake | table TABLE | file PATH | index PATH | cache [DIR]
//	firn verify  TABLE
//	firn maintain index TABLE | sweep
//	firn drop    TABLE
//
// Exit codes: 0 done, 1 failed, 2 wrong usage, 3 done but some input lines were rejected,
// 4 done but the answer is partial, because a limit was reached.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	// A reader that goes away (firn search … | head) shall end firn quietly, after its own clean-up: see output.finish.
	signal.Ignore(syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	go func() { // the first signal cancels, a second one kills
		<-ctx.Done()
		stop()
	}()
	a := &app{
		stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr,
		now: time.Now, getenv: os.Getenv,
	}
	code := a.run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}
