"""Loads what shopai exports into XGBoost and LightGBM and keeps what they predict.

Writes tests/parity/fixtures/tree-exports.json. Needs xgboost, lightgbm, numpy, and node.
"""

import hashlib
import json
import pathlib
import subprocess
import tempfile

import lightgbm as lgb
import numpy as np
import xgboost as xgb

here = pathlib.Path(__file__).parent
out = here.parent / "fixtures" / "tree-exports.json"


def numbers(values):
    return np.asarray(values, dtype=float).ravel().tolist()


def by_xgboost(path, rows, kinds):
    booster = xgb.Booster(model_file=str(path))
    ask = xgb.DMatrix(
        rows,
        feature_names=booster.feature_names,
        feature_types=["c" if kind == "category" else "float" for kind in kinds],
        enable_categorical=True,
    )
    return {
        "prediction": numbers(booster.predict(ask)),
        "contributions": numbers(booster.predict(ask, pred_contribs=True)),
    }


def by_lightgbm(path, rows, kinds):
    booster = lgb.Booster(model_file=str(path))
    return {
        "prediction": numbers(booster.predict(rows)),
        "contributions": numbers(booster.predict(rows, pred_contrib=True)),
    }


tools = {"xgboost": ("json", by_xgboost), "lightgbm": ("txt", by_lightgbm)}
cases = {}
with tempfile.TemporaryDirectory() as folder:
    subprocess.run(["node", str(here / "tree_exports.mjs"), folder], check=True)
    for path in sorted(pathlib.Path(folder).glob("*.rows")):
        table = json.loads(path.read_text())
        rows = np.array([np.nan if v is None else v for v in table["values"]]).reshape(-1, table["width"])
        case = {}
        for tool, (ending, predict) in tools.items():
            file = path.with_suffix(f".{ending}")
            case[tool] = {"sha256": hashlib.sha256(file.read_bytes()).hexdigest(), **predict(file, rows, table["kinds"])}
        cases[path.stem] = case

versions = {"xgboost": xgb.__version__, "lightgbm": lgb.__version__, "numpy": np.__version__}
text = json.dumps({"made_by": "tests/parity/scripts/tree_exports.py", "versions": versions, "cases": cases})
out.write_text(text + "\n")
print(len(text), "bytes;", ", ".join(cases))
