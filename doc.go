// Package firn is a log lakehouse engine: logs go into plain Apache Iceberg tables, sorted by time, with text indexes beside them, so
// that a needle in a haystack is found at index speed while every other engine reads the tables in place.
//
// A Lake is a directory with tables:
//
//	lake, err := firn.Open(ctx, "./lake")
//	table, err := lake.Create(ctx, firn.TableSpec{Name: "web"})
//
//	writer, err := lake.Writer(ctx, table, firn.WriterOptions{})
//	err = writer.Append(ctx, firn.Record{Time: now, Fields: []firn.Field{firn.F("level", "error"), firn.F("log_msg", "disk is full")}})
//	err = writer.Close(ctx) // commits
//
//	for row, err := range lake.Search(ctx, "web", `disk full level:error`, firn.Request{Limit: 20}) { … }
//
// A search is planned before it is run: Plan prunes, the Scan it returns reads when its rows are iterated, and who wants only what
// pruning leaves (files, row groups, row ranges and the condition still to be checked) stops at Scan.Tasks. Likewise, PlanIndex says what
// maintenance would do, and its Apply does it.
//
// This package is thin: it joins the packages catalog, ingest, query and maintain, and gives their types one import path.
package firn
