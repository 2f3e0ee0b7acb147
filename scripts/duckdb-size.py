#!/usr/bin/env python3
"""duckdb-size.py: write the rows of Parquet files again as DuckDB would, and print how many bytes that takes.

usage: duckdb-size.py SCRATCH_DIR < days.json

days.json maps a day to the list of the Parquet files with its rows. For each day DuckDB writes one ZSTD Parquet file with the
same columns, sorted by _timestamp, with its own defaults otherwise (V1 pages). Prints {"version", "rows", "bytes", "files",
"columns": {path: compressed bytes}, "ours": {path: compressed bytes}}.
"""
import json
import os
import sys

import duckdb


def quote(path):
    return "'" + path.replace("'", "''") + "'"


def columns(connection, paths):
    listed = ", ".join(map(quote, paths))
    rows = connection.execute(
        f"select path_in_schema, sum(total_compressed_size) from parquet_metadata([{listed}]) group by 1 order by 2 desc"
    ).fetchall()
    return {name: int(size) for name, size in rows}


def main():
    scratch, days = sys.argv[1], json.load(sys.stdin)
    connection = duckdb.connect()
    connection.execute("set preserve_insertion_order = true; set memory_limit = '8GB'; set TimeZone = 'UTC'")
    written, ours, rows = [], [], 0
    for number, (day, files) in enumerate(sorted(days.items())):
        target = os.path.join(scratch, f"day{number}.parquet")
        listed = ", ".join(map(quote, files))
        connection.execute(
            f"copy (select * from read_parquet([{listed}], hive_partitioning = false) order by _timestamp)"
            f" to {quote(target)} (format parquet, compression zstd)"
        )
        rows += connection.execute(f"select count(*) from read_parquet({quote(target)})").fetchone()[0]
        written.append(target)
        ours += files
    json.dump(
        {
            "version": duckdb.__version__,
            "rows": rows,
            "bytes": sum(map(os.path.getsize, written)),
            "files": len(written),
            "columns": columns(connection, written),
            "ours": columns(connection, ours),
        },
        sys.stdout,
        indent=1,
    )


if __name__ == "__main__":
    main()
