"""Weights of evidence and information values of optbinning, at given cuts and at the best ones: rows that the test makes anew.

Writes tests/parity/fixtures/scorecard-optbinning.json. Needs optbinning, numpy.
"""

import importlib.metadata
import json
import math
import pathlib

import numpy as np
from optbinning import OptimalBinning

from mulberry import stream

out = pathlib.Path(__file__).parent.parent / "fixtures" / "scorecard-optbinning.json"
ROWS = 3000

draw = stream(11)
rows = []
for _ in range(ROWS):
    age, income, town, missing = draw(), draw(), int(draw() * 9), draw() < 0.1
    z = -1.5 + 2 * age - 1.5 * income * income + (town - 4) / 4 + (0.5 if missing else 0)
    rows.append((age, math.nan if missing else income, f"t{town}", draw() < 1 / (1 + math.exp(-z))))
age, income, town, hit = (np.array(column) for column in zip(*rows))
y = hit.astype(int)
ask = dict(solver="cp", max_n_bins=6, min_bin_size=0.05, max_n_prebins=50, min_prebin_size=0.02)


def table(model, of):
    found = model.fit(of, y).binning_table.build(add_totals=False)
    found = found[found["Count"] > 0]
    return dict(
        hits=[int(v) for v in found["Event"]],
        misses=[int(v) for v in found["Non-event"]],
        woe=[float(v) for v in found["WoE"]],
        iv=float(found["IV"].sum()),
    )


given = [0.2, 0.45, 0.8]
fixture = dict(
    tool=f"optbinning {importlib.metadata.version('optbinning')}",
    rows=ROWS,
    hits=int(y.sum()),
    cuts=given,
    given={
        name: table(OptimalBinning(name, dtype="numerical", user_splits=np.array(given), user_splits_fixed=[True] * 3,
                                   min_prebin_size=0.001), of)
        for name, of in [("age", age), ("income", income)]
    },
    best={
        "age": table(OptimalBinning("age", dtype="numerical", monotonic_trend="auto_asc_desc", **ask), age),
        "income": table(OptimalBinning("income", dtype="numerical", monotonic_trend="auto_asc_desc", **ask), income),
        "town": table(OptimalBinning("town", dtype="categorical", **ask), town),
    },
)
out.write_text(json.dumps(fixture, indent=1) + "\n")
