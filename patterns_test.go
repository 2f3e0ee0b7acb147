package firn_test

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/firnlog/firn"
)

// What does this service log, how often, and what is new since yesterday?
func ExampleComparePatterns() {
	ctx := context.Background()
	must := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	dir, err := os.MkdirTemp("", "firn-example-")
	must(err)
	defer func() { must(os.RemoveAll(dir)) }()
	lake, err := firn.Open(ctx, dir)
	must(err)
	defer func() { must(lake.Close()) }()
	table, err := lake.Create(ctx, firn.TableSpec{Name: "web"})
	must(err)
	w, err := lake.Writer(ctx, table, firn.WriterOptions{})
	must(err)
	today := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	for i := range 6 {
		text := fmt.Sprintf("user %d logged in from 10.0.0.%d", i, 40+i)
		if i == 5 {
			text = "disk /dev/sda1 is 97% full"
		}
		must(w.Append(ctx, firn.Record{Time: today.Add(time.Duration(i-3) * time.Hour), Fields: []firn.Field{firn.F("log_msg", text)}}))
	}
	must(w.Close(ctx))

	result, err := lake.Patterns(ctx, "web", "*", firn.Request{}, firn.PatternOptions{})
	must(err)
	for _, p := range result.Patterns {
		fmt.Println(p.Count, p.ID, p.Template)
	}

	table, err = lake.Table(ctx, "web")
	must(err)
	before, err := lake.Plan(ctx, table, firn.Request{To: today})
	must(err)
	after, err := lake.Plan(ctx, table, firn.Request{From: today})
	must(err)
	changes, err := firn.ComparePatterns(ctx, before, after, firn.PatternOptions{})
	must(err)
	for _, d := range changes.Deltas {
		fmt.Println(d.Change, d.Before, d.After, d.Sample)
	}

	// Output:
	// 5 a8b53aba8a8d1040 user <num> logged in from <ip>
	// 1 3a60b18c50674d7a disk /dev/<id> is <num>% full
	// new 0 1 disk /dev/sda1 is 97% full
}
