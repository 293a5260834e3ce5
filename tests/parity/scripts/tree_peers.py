"""Small models of XGBoost and LightGBM with their predictions and contributions, for tests of the import.

Writes tests/parity/fixtures/tree-peers.json. Needs xgboost, lightgbm, numpy, pandas.
"""

import base64
import json
import os
import pathlib
import tempfile

import lightgbm as lgb
import numpy as np
import pandas as pd
import xgboost as xgb

out = pathlib.Path(__file__).parent.parent / "fixtures" / "tree-peers.json"
rng = np.random.default_rng(7)
ROWS = 400
SHOWN = 24


def table():
    x = rng.normal(size=(ROWS, 5))
    x[:, 1] = np.round(x[:, 1], 1)
    x[:, 2] = rng.integers(0, 9, ROWS)
    x[:, 3] = rng.integers(0, 40, ROWS)
    x[:, 4] = rng.integers(0, 3, ROWS)
    x[rng.random((ROWS, 5)) < 0.1] = np.nan
    signal = np.nan_to_num(x[:, 0]) - np.nan_to_num(x[:, 1]) * np.nan_to_num(x[:, 2], nan=2) / 4
    signal += np.where(x[:, 4] == 1, 0.8, 0)
    signal += np.where(np.isin(x[:, 3] % 7, [1, 3, 4]), 1.0, -0.5) + np.where(np.isnan(x[:, 1]), 1, 0)
    return x, signal + rng.normal(size=ROWS) / 2


def targets(signal):
    return {
        "binary": (signal > 0).astype(int),
        "classes": np.digitize(signal, [-0.5, 0.7]),
        "number": signal * 10 + 50,
        "count": np.round(np.exp(np.clip(signal, -3, 3))),
        "positive": np.exp(np.clip(signal, -3, 3)) + 0.1,
        "grade": np.digitize(signal, [-1, 0, 1]),
    }


def shown(x, thresholds):
    """Rows to predict: some of the table, and some that meet thresholds in all ways of rounding."""
    rows = x[:SHOWN].copy()
    for i, t in enumerate(thresholds[: SHOWN // 2]):
        low = np.nextafter(np.float32(t), np.float32(-np.inf), dtype=np.float32)
        middle = (float(low) + float(np.float32(t))) / 2
        rows[i, 0] = [middle, np.nextafter(middle, np.inf), np.nextafter(middle, -np.inf), float(t), float(low)][i % 5]
    return rows


def rows_json(rows):
    return [[None if np.isnan(v) else float(v) for v in row] for row in rows]


def numbers(values):
    return np.asarray(values, dtype=float).ravel().tolist()


x, signal = table()
y = targets(signal)
cases = {}

NAMES = ["a", "b", "c", "d", "e"]
TYPES = ["float", "float", "float", "c", "c"]


def xgb_case(name, params, target, rounds=5, categorical=True, ending="json", group=None, binary=False):
    names, types = (NAMES, TYPES) if categorical else (None, None)
    columns = x if categorical else x[:, :3]
    data = xgb.DMatrix(columns, y[target], feature_names=names, feature_types=types, enable_categorical=categorical)
    if group:
        data.set_group(group)
    params = {"max_depth": 3, "eta": 0.3, "seed": 3, "nthread": 2, **params}
    booster = xgb.train(params, data, rounds)
    frame = booster.trees_to_dataframe() if params.get("booster") != "gblinear" else None
    thresholds = [] if frame is None else frame[(frame.Feature == (names or ["f0"])[0])].Split.dropna().tolist()
    rows = shown(columns, thresholds)
    ask = xgb.DMatrix(rows, feature_names=names, feature_types=types, enable_categorical=categorical)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, f"model.{ending}")
        booster.save_model(path)
        saved = open(path, "rb").read()
    case = {"tool": "xgboost", "rows": rows_json(rows), "prediction": numbers(booster.predict(ask))}
    case["margin"] = numbers(booster.predict(ask, output_margin=True))
    if params.get("booster") != "gblinear":
        case["contributions"] = numbers(booster.predict(ask, pred_contribs=True))
    if ending == "ubj":
        case["base64"] = base64.b64encode(saved).decode()
    else:
        case["text"] = saved.decode()
    cases[f"xgboost {name}"] = case


xgb_case("binary", {"objective": "binary:logistic"}, "binary")
xgb_case("binary, one-hot splits", {"objective": "binary:logistic", "max_cat_to_onehot": 100}, "binary", rounds=3)
xgb_case("binary, ubjson", {"objective": "binary:logistic"}, "binary", rounds=2, categorical=False, ending="ubj")
xgb_case("multiclass", {"objective": "multi:softprob", "num_class": 3}, "classes", rounds=2)
xgb_case("squared error", {"objective": "reg:squarederror", "max_depth": 4}, "number", categorical=False)
xgb_case("absolute error", {"objective": "reg:absoluteerror"}, "number", categorical=False, rounds=3)
xgb_case("poisson", {"objective": "count:poisson"}, "count")
xgb_case("gamma", {"objective": "reg:gamma"}, "positive", rounds=3, categorical=False)
xgb_case("tweedie", {"objective": "reg:tweedie"}, "positive", rounds=3, categorical=False)
xgb_case("ranking", {"objective": "rank:ndcg"}, "grade", rounds=3, categorical=False, group=[20] * 20)
xgb_case("dart", {"objective": "binary:logistic", "booster": "dart", "rate_drop": 0.5, "one_drop": 1}, "binary")
xgb_case(
    "forest",
    {"objective": "binary:logistic", "num_parallel_tree": 4, "subsample": 0.6, "colsample_bynode": 0.6, "eta": 1},
    "binary",
    rounds=1,
)
xgb_case("gblinear", {"objective": "binary:logistic", "booster": "gblinear"}, "binary", rounds=1, categorical=False)

# Names of levels, as data frames have them.
texts = pd.DataFrame({"price": x[:, 0], "country": pd.Categorical.from_codes(np.nan_to_num(x[:, 4], nan=-1).astype(int), ["NO", "DE", "it's"])})
booster = xgb.train(
    {"objective": "binary:logistic", "max_depth": 3, "seed": 1},
    xgb.DMatrix(texts, y["binary"], enable_categorical=True),
    4,
)
with tempfile.TemporaryDirectory() as folder:
    booster.save_model(os.path.join(folder, "m.json"))
    text = open(os.path.join(folder, "m.json")).read()
ask = xgb.DMatrix(texts[:SHOWN], enable_categorical=True)
cases["xgboost named levels"] = {
    "tool": "xgboost",
    "rows": [[None if pd.isna(v) else v for v in row] for row in texts[:SHOWN].itertuples(index=False)],
    "prediction": numbers(booster.predict(ask)),
    "margin": numbers(booster.predict(ask, output_margin=True)),
    "contributions": numbers(booster.predict(ask, pred_contribs=True)),
    "text": text,
}


def lgb_case(name, params, target, rounds=5, categorical=True, group=None, frame=None):
    columns = frame if frame is not None else (x if categorical else x[:, :3])
    features = {} if frame is not None else {"feature_name": NAMES[: columns.shape[1]]}
    if categorical and frame is None:
        features["categorical_feature"] = [3, 4]
    params = {"num_leaves": 7, "learning_rate": 0.3, "min_data_in_leaf": 5, "verbose": -1, "seed": 3, "num_threads": 2, **params}
    data = lgb.Dataset(columns, y[target], group=group, params={"min_data_per_group": 5}, **features)
    booster = lgb.train({**params, "min_data_per_group": 5, "cat_smooth": 1}, data, rounds)
    rows = columns[:SHOWN]
    case = {
        "tool": "lightgbm",
        "text": booster.model_to_string(),
        "prediction": numbers(booster.predict(rows)),
        "margin": numbers(booster.predict(rows, raw_score=True)),
    }
    if not params.get("linear_tree"):
        case["contributions"] = numbers(booster.predict(rows, pred_contrib=True))
    case["rows"] = (
        [[None if pd.isna(v) else v for v in row] for row in rows.itertuples(index=False)]
        if frame is not None
        else rows_json(rows)
    )
    cases[f"lightgbm {name}"] = case


lgb_case("binary", {"objective": "binary"}, "binary")
lgb_case("binary, sigmoid 2", {"objective": "binary", "sigmoid": 2.0}, "binary", rounds=2, categorical=False)
lgb_case("multiclass", {"objective": "multiclass", "num_class": 3}, "classes", rounds=2)
lgb_case("regression", {"objective": "regression"}, "number", categorical=False)
lgb_case("no missing values", {"objective": "regression", "use_missing": False}, "number", categorical=False, rounds=2)
lgb_case("zero as missing", {"objective": "regression", "zero_as_missing": True}, "number", categorical=False, rounds=3)
lgb_case("poisson", {"objective": "poisson"}, "count", rounds=3)
lgb_case("ranking", {"objective": "lambdarank"}, "grade", rounds=3, categorical=False, group=[20] * 20)
lgb_case("random forest", {"objective": "binary", "boosting": "rf", "bagging_fraction": 0.6, "bagging_freq": 1}, "binary", rounds=3)
lgb_case("one leaf", {"objective": "binary", "min_gain_to_split": 1e9}, "binary", rounds=2, categorical=False)
lgb_case("linear trees", {"objective": "regression", "linear_tree": True}, "number", rounds=1, categorical=False)
lgb_case("one against all", {"objective": "multiclassova", "num_class": 3}, "classes", rounds=1, categorical=False)
lgb_case("named levels", {"objective": "binary"}, "binary", rounds=3, frame=texts)

versions = {"xgboost": xgb.__version__, "lightgbm": lgb.__version__, "numpy": np.__version__}
text = json.dumps({"made_by": "tests/parity/scripts/tree_peers.py", "versions": versions, "cases": cases}, ensure_ascii=False)
out.write_text(text + "\n")
print(len(text), "bytes;", ", ".join(cases))
