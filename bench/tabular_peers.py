"""Peers of bench/tabular.mjs: python tabular_peers.py data FOLDER | train LIB GROW ROWS FOLDER THREADS | whole ... | predict ..."""
import json
import resource
import sys
import time

import numpy as np
import pandas as pd


def cpu():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def peak_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


# Levels of the categories of the wide table, one column each.
WIDE = [2, 8, 20, 50, 100, 150, 250, 300, 500, 600]


def write(folder, name, rows, seed, columns=20, categories=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, columns)).astype(np.float32)
    z = x[:, 0] + x[:, 1] * x[:, 2] + np.sin(3 * x[:, 3]) + 0.5 * (x[:, 4] > 0) * x[:, 5] - 0.3 * x[:, 6] ** 2 + 0.3
    frame = {f"c{i}": x[:, i] for i in range(columns - categories)}
    for i in range(categories):
        code = rng.integers(0, 10 + 5 * i, rows)
        effect = np.random.default_rng(100 + i).normal(size=10 + 5 * i) / 2
        z = z + effect[code]
        frame[f"k{i}"] = np.char.add("v", code.astype(str))
    for i, levels in enumerate(WIDE if name.endswith("wide") else []):
        share = 1 / np.arange(1, levels + 1)
        code = rng.choice(levels, rows, p=share / share.sum())
        z = z + np.random.default_rng(100 + i).normal(size=levels)[code] / 2
        for level in range(levels):
            frame[f"w{i}_{level}"] = (code == level).astype(np.int8)
    frame["y"] = (rng.random(rows) < 1 / (1 + np.exp(-z))).astype(np.int32)
    pd.DataFrame(frame).to_parquet(f"{folder}/{name}.parquet", index=False)


def read(folder, name):
    data = pd.read_parquet(f"{folder}/{name}.parquet")
    y = data.pop("y").to_numpy()
    if name.endswith("wide"):
        from scipy.sparse import csr_matrix

        # What both are fastest with.
        return csr_matrix(data.to_numpy(np.float32)), y
    return (data if texts(data) else data.to_numpy()), y


def texts(x):
    return [c for c in x.columns if c.startswith("k")] if isinstance(x, pd.DataFrame) else []


def with_levels(x):
    """Neither learns from texts as they are: finding their levels is part of the training, as it is of ours."""
    return x.assign(**{c: x[c].astype("category") for c in texts(x)}) if texts(x) else x


def train(lib, grow, x, y, threads):
    """Returns the model and the seconds of binning and of boosting: 100 trees, eta 0.1, 255 bins."""
    began = time.perf_counter()
    if lib == "xgboost":
        import xgboost as xgb

        data = xgb.QuantileDMatrix(x, y, nthread=threads, max_bin=256, enable_categorical=True)
        params = dict(objective="binary:logistic", tree_method="hist", eta=0.1, max_bin=256, nthread=threads)
        params.update(dict(max_depth=6) if grow == "depth" else dict(grow_policy="lossguide", max_leaves=63, max_depth=0))
        binned = time.perf_counter()
        model = xgb.train(params, data, 100)
        return model, binned - began, time.perf_counter() - binned
    import lightgbm as lgb

    params = dict(
        objective="binary", learning_rate=0.1, num_leaves=63, max_bin=255, num_threads=threads, verbose=-1,
        min_sum_hessian_in_leaf=1, min_data_in_leaf=1, lambda_l2=1,
    )
    if grow == "depth":
        params.update(max_depth=6, num_leaves=64)
    data = lgb.Dataset(x, y, params=params).construct()
    binned = time.perf_counter()
    model = lgb.train(params, data, 100)
    return model, binned - began, time.perf_counter() - binned


def scores(lib, model, x):
    if lib == "xgboost":
        return model.inplace_predict(x)
    return model.predict(x)


def auc(y, s):
    order = np.argsort(s, kind="stable")
    ranks = np.empty(len(s))
    ranks[order] = np.arange(1, len(s) + 1)
    positive = y.sum()
    return float((ranks[y == 1].sum() - positive * (positive + 1) / 2) / (positive * (len(y) - positive)))


def main(verb, *rest):
    if verb == "data":
        folder, name, rows, seed, categories = rest
        return write(folder, name, int(rows), int(seed), categories=int(categories))
    lib, grow, name, folder, threads = rest
    threads = int(threads)
    __import__(lib)
    loaded = peak_mb()
    x, y = read(folder, name)
    began, before = time.perf_counter(), cpu()
    x = with_levels(x)
    levels = time.perf_counter() - began
    model, binning, boosting = train(lib, grow, x, y, threads)
    seconds, used = time.perf_counter() - began, cpu() - before
    found = dict(seconds=seconds, cpu=used, levels=levels, binning=binning, boosting=boosting, peak_mb=peak_mb(), imports_mb=loaded)
    if verb == "whole":
        model.save_model(f"{folder}/{lib}.model")
    else:
        held, truth = read(folder, "held-" + name.split("-")[1] if "-" in name else "held")
        held = with_levels(held)
        began, before = time.perf_counter(), cpu()
        s = scores(lib, model, held)
        found.update(predict=time.perf_counter() - began, predict_cpu=cpu() - before, auc=auc(truth, s), held=len(truth))
    print(json.dumps(found))


main(*sys.argv[1:])
