// Package query turns a predicate over a table into pruned tasks, and tasks into matching rows, with counts and reasons.
//
// A search goes straight down, and every step only shrinks the set of rows that may match:
//
//	snapshot -> partition and file bounds -> bloom filters -> token bitmaps -> row-group and page bounds
//	         -> candidate row ranges (Engine.Plan ends here and has read no data page)
//	         -> predicate columns of the candidates -> the other columns of the rows that matched -> caller
//
// For each node of the predicate two sets of rows are kept, must ⊆ truth ⊆ may. And and Or combine both, Not swaps and complements
// them. Whatever may does not hold is never read; whatever must holds needs no check, and a count of it needs no reading at all.
//
// An index may make a query faster; it never changes its answer. A sidecar that is missing, damaged, of another data file or of an
// unknown version means "cannot prune": the file is read, and the reason is counted in Stats and logged.
//
// The truth of a predicate is two-valued: every predicate but IsNull is false for a null or missing value, and Not of it is true.
//
// In a remote store (storage.Traits) time is lost by requests that wait for each other, so there some are made on the chance that they are needed. A word
// in a table of many files takes three round trips: the ends of all sidecars, with their bloom filters; of the files that are left, parts of dictionary and
// postings, and beside them the data file's footer with its page index; the pages of all columns. What is only guessed to be needed may fail, and is
// bounded in bytes and files. Requests of all scans are bounded by Traits.Parallel, and what they bring by EngineOptions.ReadBytes.
//
// Which file holds what:
//
//	query.go, predicate.go, normalize.go   questions and predicates, and their normal form
//	number.go, wildcard.go              what the languages in query/sql and query/dsl share
//	builder.go                          questions put together in Go
//	text.go, textquery.go               both printed
//	parse.go, parseterm.go, parsevalue.go, parsepipe.go   both parsed
//	bind.go, value.go, node.go          a predicate bound to a table's schema
//	bindtime.go, bindtext.go            what is relative to now, days, prefixes of tokens, regular expressions
//	eval.go, match.go, folded.go, regexp.go   its truth, over vectors
//	regexpliteral.go                    what a regular expression demands of a text
//	bounds.go, judge.go                 must and may: the algebra, and what statistics tell
//	prune.go, prunetoken.go, prunefile.go   the stages, by metadata, sidecar and data file
//	tablestate.go, filelist.go, prunemetadata.go   what is derived from a table's metadata, once for all plans, and pruning by it
//	engine.go, plan.go, cache.go, pagecache.go, meter.go  Plan, the cache and the counters
//	scan.go, merge.go, cursor.go, pieces.go, pace.go, reading.go, gather.go, row.go   reading: rows, batches, counts
//	answer.go, answerrows.go, limits.go     whole questions, and what an answer may cost
//	context.go, contextgroups.go, contextwalk.go, position.go   rows before and after hits
//	groupplan.go, groupfacts.go, groupread.go, groupjob.go, groupanswer.go   questions for groups: bound, answered by bounds, read, ordered
//	sortplan.go, sortemit.go            rows ordered by any columns
//	grouptable.go, coder.go, bucket.go, aggregatestate.go, aggregatenumbers.go, scalar.go      groups and aggregates over vectors
//	follow.go, follownews.go            rows as they are committed
//	ahead.go, together.go               what is done side by side in a remote store
//	patterns.go, patternread.go, patterncolumn.go, patterntally.go, patterndescribe.go, patterncompare.go   rows counted by pattern
//	prunepattern.go                     rows of one pattern
//	template.go, shapes.go              texts with placeholders
//	survivors.go, ask.go, costs.go      whether a sidecar is asked, and what that may cost
//	stats.go, explain.go, explaincost.go, explainwords.go, explaintree.go   what happened and why, what was expected, and the tree that tells it
package query
