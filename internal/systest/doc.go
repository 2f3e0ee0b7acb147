// Package systest tests firn as a whole: through its Go API against the brute-force search of package oracle, and through the firn
// program with bad input, damaged files, kills and other engines. It has no code outside its tests.
//
// Long tests are switched on by environment variables:
//
//	FIRN_TEST_LONG=1     real corpora (the first 50,000 rows of each), 50 kills
//	FIRN_TEST_FULL=1     real corpora in full
//	FIRN_TEST_SERVERS=1  lakes on HDFS, S3, Postgres and a REST catalog, and what happens when these fail (make test-servers)
//	FIRN_TEST_INTEROP=1  pyiceberg and DuckDB read the tables (scripts/python-env installs them into .venv)
//	FIRN_DATA=DIR        where the corpora are (*.jsonl, *.jsonl.zst); default ../shared/data beside the repository
package systest
