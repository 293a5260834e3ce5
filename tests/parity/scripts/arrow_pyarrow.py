"""Feather and IPC files as pyarrow writes them, with what must be read from them. Run: python arrow_pyarrow.py <folder>"""

import datetime
import decimal
import json
import pathlib
import sys

import pyarrow as pa
import pyarrow.feather as feather

folder = pathlib.Path(sys.argv[1])
rows = 1500
zone = datetime.timezone.utc
table = pa.table(
    {
        "id": pa.array(range(rows), pa.int64()),
        "level": pa.array([["low", "mid", None, "茶"][i % 4] for i in range(rows)]).dictionary_encode(),
        "price": pa.array([None if i % 5 == 0 else decimal.Decimal(i) / 100 for i in range(rows)], pa.decimal128(20, 2)),
        "at": pa.array([datetime.datetime(2024, 1, 1, tzinfo=zone) + datetime.timedelta(hours=i) for i in range(rows)], pa.timestamp("ms", "Europe/Oslo")),
        "tags": pa.array([[] if i % 3 == 0 else [f"t{i % 7}", None] for i in range(rows)], pa.list_(pa.string())),
        "half": pa.array([i % 8 / 4 for i in range(rows)], pa.float32()).cast(pa.float16()),
        "big": pa.array(["x" * (i % 11) for i in range(rows)], pa.large_string()),
        "view": pa.array([f"a text that is longer than twelve {i % 9}" for i in range(rows)], pa.string_view()),
        "yes": pa.array([None if i % 7 == 0 else i % 2 == 0 for i in range(rows)], pa.bool_()),
        "day": pa.array([datetime.date(2024, 1, 1) + datetime.timedelta(days=i % 60) for i in range(rows)], pa.date64()),
    }
)
for compression in ("lz4", "zstd"):
    feather.write_feather(table, folder / f"pyarrow-{compression}.feather", compression=compression, chunksize=1000)
(folder / "pyarrow.json").write_text(json.dumps({"tool": "pyarrow", "version": pa.__version__, "rows": rows}) + "\n")
