#!/usr/bin/env python3
"""Compares what other engines read from our files with what pyarrow reads, page checksums verified.

Usage: FIRN_EXPORT=DIR go test ./format -run Export && check_engines.py DIR
Needs pyarrow; of duckdb, polars, datafusion, chdb (ClickHouse) and pyspark those are asked that are installed.
"""
import math
import sys

import pyarrow.parquet as pq

DIR = sys.argv[1]


def is_time(t):
    return str(t).startswith("timestamp")


def is_date(t):
    return str(t) == "date32[day]"


def numbers(column):
    """Timestamps and dates as numbers: they may lie outside what Python's datetime knows."""
    return column.cast("int64") if is_time(column.type) else column.cast("int32") if is_date(column.type) else column


def columns_of(table):
    return {n: numbers(table.column(n)).to_pylist() for n in table.column_names}


def norm(v):
    """A value in a form that all engines share: maps as sorted pairs, a null map as an empty one is up to the caller."""
    if isinstance(v, float) and math.isnan(v):
        return "nan"
    if isinstance(v, dict):
        return tuple(sorted(v.items(), key=str))
    if isinstance(v, (list, tuple)):
        return tuple(sorted((tuple(e.values()) if isinstance(e, dict) else tuple(e) for e in v), key=str))
    return v


def compare(engine, path, got):
    want = columns_of(pq.ParquetFile(path, page_checksum_verification=True).read())
    bad = []
    for name, values in want.items():
        is_map = any(isinstance(v, list) for v in values)
        a = [() if is_map and v is None else norm(v) for v in values]
        b = [() if is_map and v is None else norm(v) for v in got[name]]
        if a != b:
            i = next((i for i in range(min(len(a), len(b))) if a[i] != b[i]), min(len(a), len(b)))
            bad.append((name, len(a), len(b), i, str(a[i : i + 1])[:80], str(b[i : i + 1])[:80]))
    print(f"{engine:12} {path.split('/')[-1]:14}", "same" if not bad else f"DIFFERENT {bad}")
    return not bad


def with_duckdb(path):
    import duckdb

    return columns_of(duckdb.connect().execute(f"select * from '{path}'").to_arrow_table())


def with_polars(path):
    import polars as pl

    return columns_of(pl.read_parquet(path).to_arrow())


def with_datafusion(path):
    import datafusion

    ctx = datafusion.SessionContext()
    ctx.register_parquet("t", path)
    return columns_of(ctx.sql("select * from t").to_arrow_table())


def with_clickhouse(path):
    import chdb

    schema = pq.read_schema(path)
    exprs = []
    for f in schema:
        n = f"`{f.name}`"
        exprs.append(f"toUnixTimestamp64Micro({n}) as {n}" if is_time(f.type) else f"toInt32({n}) as {n}" if is_date(f.type) else n)
    t = chdb.query(f"select {', '.join(exprs)} from file('{path}', Parquet) settings output_format_arrow_string_as_string=1, max_threads=1", "ArrowTable")
    return {n: t.column(n).to_pylist() for n in t.column_names}


def with_spark(path):
    from pyspark.sql import SparkSession
    from pyspark.sql import functions as F

    spark = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").config("spark.sql.session.timeZone", "UTC").getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    df = spark.read.parquet(path)
    cols = []
    for f in df.schema.fields:
        c = F.col(f"`{f.name}`")
        kind = f.dataType.typeName()
        cols.append((F.unix_micros(c) if kind == "timestamp" else F.unix_date(c) if kind == "date" else c).alias(f.name))
    rows = df.select(cols).collect()
    return {n: [r[n] for r in rows] for n in df.columns}


failed = False
for engine, read in {"duckdb": with_duckdb, "polars": with_polars, "datafusion": with_datafusion, "clickhouse": with_clickhouse, "spark": with_spark}.items():
    for name in ("wide", "logs"):
        path = f"{DIR}/{name}.parquet"
        try:
            failed |= not compare(engine, path, read(path))
        except ImportError as e:
            print(f"{engine:12} not installed ({e})")
        except Exception as e:  # report, and ask the next engine
            failed = True
            print(f"{engine:12} {name:14} FAILED {type(e).__name__}: {str(e)[:400]}")
sys.exit(failed)
