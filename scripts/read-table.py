#!/usr/bin/env python3
"""read-table.py: read one Iceberg table with pyiceberg and with DuckDB and print what they see as one JSON object.

usage: read-table.py METADATA_JSON [CATALOG_DB CATALOG_NAME TABLE [ROWS_FILE]] < filters.json

With ROWS_FILE every row that pyiceberg reads is written there as a line of JSON.

filters.json is a list of objects; each has any of
    equal     {column: text}      the column holds exactly this
    from, to  RFC 3339 times      from <= _timestamp < to
    contains  text                log_msg holds this text (DuckDB only: pyiceberg cannot say it)
    attr      {key: text}         attrs holds this (DuckDB only)
The counts come back in the same order, null where an engine cannot say the filter.
"""
import datetime
import json
import os
import sys


def avro_codec(path):
    """Returns the codec that an Avro file names in its header."""
    data = open(path, "rb").read(1 << 16)
    assert data[:4] == b"Obj\x01", f"{path} is no Avro file"
    at = 4

    def number():
        nonlocal at
        shift = value = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                return (value >> 1) ^ -(value & 1)

    def text():
        nonlocal at
        size = number()
        at += size
        return data[at - size : at]

    header = {}
    while (entries := number()) != 0:
        if entries < 0:
            entries = -entries
            number()
        for _ in range(entries):
            key = text()
            header[key.decode()] = text()
    return header.get("avro.codec", b"null").decode()


def local(uri):
    return uri.removeprefix("file://")


def iso(moment):
    return None if moment is None else moment.astimezone(datetime.timezone.utc).isoformat(timespec="microseconds").replace("+00:00", "Z")


def dump(rows, path):
    names = rows.column_names
    with open(path, "w", encoding="utf-8") as out:
        for batch in rows.to_batches(max_chunksize=10000):
            for row in zip(*(column.to_pylist() for column in batch.columns)):
                line = dict(zip(names, row))
                for name, value in line.items():
                    if isinstance(value, datetime.datetime):
                        line[name] = iso(value)
                    elif isinstance(value, datetime.date):
                        line[name] = value.isoformat()
                    elif isinstance(value, list):  # a map
                        line[name] = dict(value)
                out.write(json.dumps(line) + "\n")


def with_pyiceberg(metadata, catalog, filters, rows_file):
    from pyiceberg.expressions import And, EqualTo, GreaterThanOrEqual, LessThan
    from pyiceberg.table import StaticTable
    import pyarrow.compute as pc

    if catalog:
        from pyiceberg.catalog.sql import SqlCatalog

        database, name, identifier = catalog
        table = SqlCatalog(name, uri=f"sqlite:///{database}").load_table(identifier)
    else:
        table = StaticTable.from_metadata(metadata)
    out = {"through": "catalog" if catalog else "metadata", "format_version": table.format_version}
    out["sort_order"] = [
        {
            "column": table.schema().find_column_name(f.source_id),
            "direction": str(f.direction.value),
            "nulls": str(f.null_order.value),
        }
        for f in table.sort_order().fields
    ]
    out["partition_fields"] = [f"{f.transform}({table.schema().find_column_name(f.source_id)})" for f in table.spec().fields]
    snapshot = table.current_snapshot()
    manifests = snapshot.manifests(table.io) if snapshot else []
    paths = ([snapshot.manifest_list] if snapshot else []) + [m.manifest_path for m in manifests]
    out["avro_codecs"] = sorted({avro_codec(local(p)) for p in paths})
    files = [task.file for task in table.scan().plan_files()]
    out["files"] = len(files)
    out["sort_order_ids"] = sorted({f.sort_order_id if f.sort_order_id is not None else -1 for f in files})
    rows = table.scan().to_arrow()
    out["rows"] = rows.num_rows
    if rows_file:
        dump(rows, rows_file)
    times = rows["_timestamp"]
    out["min"], out["max"] = (iso(pc.min(times).as_py()), iso(pc.max(times).as_py())) if rows.num_rows else (None, None)
    out["counts"] = []
    for f in filters:
        if "contains" in f or "attr" in f:
            out["counts"].append(None)
            continue
        parts = [EqualTo(c, v) for c, v in f.get("equal", {}).items()]
        if "from" in f:
            parts.append(GreaterThanOrEqual("_timestamp", f["from"]))
        if "to" in f:
            parts.append(LessThan("_timestamp", f["to"]))
        expression = parts[0] if len(parts) == 1 else And(*parts)
        out["counts"].append(table.scan(row_filter=expression, selected_fields=("_timestamp",)).to_arrow().num_rows)
    return out


def with_duckdb(metadata, filters):
    import duckdb
    from duckdb_extensions import import_extension

    connection = duckdb.connect()
    for extension in ("avro", "iceberg"):
        import_extension(extension)
        connection.execute(f"load {extension}")
    connection.execute("set TimeZone = 'UTC'")
    table = f"iceberg_scan('{local(metadata)}')"
    out = {"version": duckdb.__version__}
    out["rows"], out["min"], out["max"] = connection.execute(
        f"select count(*), strftime(min(_timestamp), '%Y-%m-%dT%H:%M:%S.%fZ'), strftime(max(_timestamp), '%Y-%m-%dT%H:%M:%S.%fZ') from {table}"
    ).fetchone()
    out["counts"] = []
    for f in filters:
        parts, values = ["true"], []
        for column, value in f.get("equal", {}).items():
            parts.append(f'"{column}" = ?')
            values.append(value)
        if "from" in f:
            parts.append("_timestamp >= cast(? as timestamptz)")
            values.append(f["from"])
        if "to" in f:
            parts.append("_timestamp < cast(? as timestamptz)")
            values.append(f["to"])
        if "contains" in f:
            parts.append("contains(log_msg, ?)")
            values.append(f["contains"])
        for key, value in f.get("attr", {}).items():
            parts.append("attrs[?] = ?")
            values += [key, value]
        query = f"select count(*) from {table} where {' and '.join(parts)}"
        out["counts"].append(connection.execute(query, values).fetchone()[0])
    return out


def main():
    metadata = sys.argv[1]
    catalog = sys.argv[2:5] if len(sys.argv) >= 5 else None
    rows_file = sys.argv[5] if len(sys.argv) > 5 else None
    filters = json.load(sys.stdin)
    assert os.path.exists(local(metadata)), metadata
    json.dump(
        {"pyiceberg": with_pyiceberg(metadata, catalog, filters, rows_file), "duckdb": with_duckdb(metadata, filters)},
        sys.stdout,
        indent=1,
    )


if __name__ == "__main__":
    main()
