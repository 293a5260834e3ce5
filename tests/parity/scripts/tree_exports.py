"""Loads what shopai exports into XGBoost, LightGBM and onnxruntime and keeps what they predict.

Writes tests/parity/fixtures/tree-exports.json. Needs xgboost, lightgbm, onnxruntime, numpy, and node.
"""

import hashlib
import json
import pathlib
import subprocess
import tempfile

import lightgbm as lgb
import numpy as np
import onnxruntime
import xgboost as xgb

here = pathlib.Path(__file__).parent
out = here.parent / "fixtures" / "tree-exports.json"


def numbers(values):
    return np.asarray(values, dtype=float).ravel().tolist()


def by_xgboost(path, rows, columns):
    booster = xgb.Booster(model_file=str(path))
    ask = xgb.DMatrix(
        rows,
        feature_names=booster.feature_names,
        feature_types=["c" if column["kind"] == "category" else "float" for column in columns],
        enable_categorical=True,
    )
    return {
        "prediction": numbers(booster.predict(ask)),
        "contributions": numbers(booster.predict(ask, pred_contribs=True)),
    }


def by_lightgbm(path, rows, columns):
    booster = lgb.Booster(model_file=str(path))
    return {
        "prediction": numbers(booster.predict(rows)),
        "contributions": numbers(booster.predict(rows, pred_contrib=True)),
    }


def text_of(value, column):
    """The text that the trees see as a number; texts that are none of the levels, too."""
    if np.isnan(value):
        return ""
    if column["kind"] == "category":
        return column["levels"][int(value)]
    known = column["values"].index(value) if value in column["values"] else None
    return "never seen" if known is None else column["levels"][known]


def by_onnxruntime(path, rows, columns):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    given = {}
    for c, column in enumerate(columns):
        values = rows[:, [c]]
        if column["kind"] != "number":
            values = np.array([[text_of(v, column)] for v in values[:, 0]], dtype=object)
        given[column["name"]] = values
    found = dict(zip([output.name for output in session.get_outputs()], session.run(None, given)))
    labels = found.pop("label", None)
    return {"prediction": numbers(next(iter(found.values()))), "labels": None if labels is None else labels.tolist()}


tools = {"xgboost": ("json", by_xgboost), "lightgbm": ("txt", by_lightgbm), "onnx": ("onnx", by_onnxruntime)}
cases = {}
with tempfile.TemporaryDirectory() as folder:
    subprocess.run(["node", str(here / "tree_exports.mjs"), folder], check=True)
    for path in sorted(pathlib.Path(folder).glob("*.rows")):
        table = json.loads(path.read_text())
        rows = np.array([np.nan if v is None else v for v in table["values"]]).reshape(-1, table["width"])
        case = {}
        for tool, (ending, predict) in tools.items():
            file = path.with_suffix(f".{ending}")
            case[tool] = {"sha256": hashlib.sha256(file.read_bytes()).hexdigest(), **predict(file, rows, table["columns"])}
        cases[path.stem] = case

versions = {"xgboost": xgb.__version__, "lightgbm": lgb.__version__, "onnxruntime": onnxruntime.__version__, "numpy": np.__version__}
text = json.dumps({"made_by": "tests/parity/scripts/tree_exports.py", "versions": versions, "cases": cases})
out.write_text(text + "\n")
print(len(text), "bytes;", ", ".join(cases))
