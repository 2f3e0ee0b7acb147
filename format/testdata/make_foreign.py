#!/usr/bin/env python3
"""Writes the files in foreign/ and expected.json: one table of log rows as other writers lay it out.

Needs pyarrow and duckdb (made with pyarrow 26, duckdb 2.0). The files are committed; run this only to change them.
"""
import datetime
import decimal
import json
import os
import random

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

random.seed(7)
OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "foreign")
UTC = datetime.timezone.utc
ROWS = 600
START = 1_700_000_000_000_000

micros = sorted(START + random.randrange(0, 10_000_000) * 1000 for _ in range(ROWS))
micros[0] = -1_500_000  # before 1970
rows = []
for i, us in enumerate(micros):
    attrs = [[f"k{j}", None if random.random() < 0.1 else f"value {random.randrange(50)}"] for j in range(random.randrange(5))]
    rows.append({
        "_timestamp": us,
        "level": random.choice(["info", "warn", None]),
        "log_msg": None if i % 37 == 0 else f"message {i} of {random.getrandbits(40):x} " + "é" * (i % 5),
        "attrs": attrs,
        "count": None if i % 11 == 0 else random.randrange(-2**31, 2**31),
        "big": i * 7_000_000_000,
        "ratio": random.random() * 100,
        "flag": random.choice([True, False, None]),
        "day": random.randrange(-1000, 20000),
    })
json.dump(rows, open(os.path.join(OUT, "..", "expected.json"), "w"))


def stamps(unit, tz="UTC"):
    scale = {"ms": 1000, "us": 1}.get(unit)
    if unit == "ns":
        values = [r["_timestamp"] * 1000 + (i % 1000) for i, r in enumerate(rows)]  # digits that are rounded down
    else:
        values = [r["_timestamp"] // scale for r in rows]
    return pa.array(values, pa.int64()).cast(pa.timestamp(unit, tz))


def column(name, kind):
    return pa.array([r[name] for r in rows], kind)


def table(unit="us", tz="UTC", ids=True, order=None, extra=True):
    maps = pa.array([[tuple(e) for e in r["attrs"]] for r in rows], pa.map_(pa.string(), pa.string()))
    cols = {
        "_timestamp": stamps(unit, tz),
        "level": column("level", pa.string()),
        "log_msg": column("log_msg", pa.string()),
        "attrs": maps,
        "count": column("count", pa.int32()),
        "big": column("big", pa.int64()),
        "ratio": column("ratio", pa.float32() if not ids else pa.float64()),
        "flag": column("flag", pa.bool_()),
        "day": pa.array([r["day"] for r in rows], pa.int32()).cast(pa.date32()),
    }
    if extra:
        cols["a_list"] = pa.array([[1, 2], None, []] * (ROWS // 3), pa.list_(pa.int32()))
        cols["a_struct"] = pa.array([{"x": 1, "y": {"z": "deep"}}] * ROWS, pa.struct([("x", pa.int32()), ("y", pa.struct([("z", pa.string())]))]))
        cols["a_decimal"] = pa.array([decimal.Decimal("1.50")] * ROWS, pa.decimal128(9, 2))
        cols["a_long_decimal"] = pa.array([decimal.Decimal("1.50")] * ROWS, pa.decimal128(30, 2))
        cols["a_time"] = pa.array([0] * ROWS, pa.int64()).cast(pa.time64("us"))
        cols["a_binary"] = pa.array([b"\xff\x00"] * ROWS, pa.binary())
        cols["a_number_map"] = pa.array([[("a", 1)]] * ROWS, pa.map_(pa.string(), pa.int32()))
        cols["a_uint32"] = pa.array([2**32 - 1 - i for i in range(ROWS)], pa.uint32())
        cols["a_uint64"] = pa.array([2**63] * ROWS, pa.uint64())
        cols["an_int8"] = pa.array([i % 100 - 50 for i in range(ROWS)], pa.int8())
    names = order or list(cols)
    fields = []
    for name in names:
        metadata = {"PARQUET:field_id": str(100 + list(cols).index(name))} if ids else None
        fields.append(pa.field(name, cols[name].type, metadata=metadata))
    return pa.table([cols[n] for n in names], schema=pa.schema(fields))


def write(name, t, **options):
    pq.write_table(t, os.path.join(OUT, name + ".parquet"), **options)


plain = {"use_dictionary": False, "row_group_size": 250}
write("pyarrow_default", table())
write("pyarrow_v1_snappy_noindex", table(ids=False), compression="snappy", data_page_size=700, row_group_size=250)
write("pyarrow_v2_zstd_index_checksum", table(), compression="zstd", data_page_version="2.0", data_page_size=900, write_page_index=True,
      write_page_checksum=True, row_group_size=400, version="2.6")
write("pyarrow_gzip_plain_millis", table(unit="ms", order=["attrs", "log_msg", "_timestamp", "day", "flag", "level", "count", "big", "ratio"], extra=False),
      compression="gzip", **plain)
write("pyarrow_lz4_nanos", table(unit="ns", extra=False), compression="lz4", write_page_index=True, data_page_size=500)
write("pyarrow_none_int96", table(extra=False), compression="none", use_deprecated_int96_timestamps=True)
write("pyarrow_naive_brotli", table(tz=None, extra=False, ids=False), compression="brotli")
delta = {"_timestamp": "DELTA_BINARY_PACKED", "log_msg": "DELTA_BYTE_ARRAY", "level": "DELTA_LENGTH_BYTE_ARRAY", "count": "DELTA_BINARY_PACKED",
         "ratio": "BYTE_STREAM_SPLIT", "flag": "RLE", "big": "BYTE_STREAM_SPLIT", "day": "PLAIN"}
write("pyarrow_delta_v2", table(extra=False), use_dictionary=False, column_encoding=delta, data_page_version="2.0", write_page_index=True, data_page_size=800)
write("pyarrow_missing_columns", table(extra=False).select(["_timestamp", "log_msg"]))

con = duckdb.connect()
con.execute("set timezone='UTC'")
source = table(extra=False, ids=False)
con.register("source", source)
con.execute("create table t as select * replace (ratio::float as ratio) from source")
for name, options in {
    "duckdb_default": "",
    "duckdb_zstd_small_groups": ", compression zstd, row_group_size 200",
    "duckdb_v2": ", parquet_version v2, compression zstd",
    "duckdb_field_ids": ", field_ids {_timestamp: 100, level: 101, log_msg: 102, attrs: {__duckdb_field_id: 103, key: 20, value: 21}, count: 104, big: 105, ratio: 106, flag: 107, day: 108}",
}.items():
    con.execute(f"copy t to '{OUT}/{name}.parquet' (format parquet{options})")
