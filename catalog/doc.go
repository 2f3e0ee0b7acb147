// Package catalog names tables and gives out immutable snapshots of them: a table name leads to a Table, a Table to the data files
// of one snapshot with their statistics, and files are added by atomic commits that win under contention.
//
// It is the only home of iceberg-go, and none of its types shows in this package's API: the rest of firn speaks Table, DataFile and
// Arrow schemas. The tables are plain Apache Iceberg v2 tables that every other engine can read and write.
//
// How the pieces stand together:
//
//	Catalog      Open, Create, Load, List, Drop
//	  backend    who keeps "table name -> current metadata.json": pointerBackend (SQLite, Postgres: pointers.go) or restBackend
//	  attempt    one try of a commit, as iceberg-go sees it; commit.go decides what its end means
//	  fileIO     iceberg-go's file access, turned into calls to a storage.Store (so that metadata is as durable as data);
//	             stagingIO the same for commits, which write side by side
//	Table        one snapshot: schema, properties, Files, and the commits Append, UpdateSchema, SetProperties
package catalog
