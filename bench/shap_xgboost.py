"""Models and contributions of XGBoost for bench/shap.mjs: python bench/shap_xgboost.py train|explain <folder> <threads>"""
import os
import sys
import time

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # spinning threads would inflate its time on a busy machine
import numpy as np
import xgboost as xgb

step, folder, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
models = {
    "depth 6": {"max_depth": 6},
    "63 leaves": {"max_depth": 0, "max_leaves": 63, "grow_policy": "lossguide"},
}
if step == "train":
    rng = np.random.default_rng(0)
    x = rng.normal(size=(100_000, 20)).astype(np.float32)
    x[rng.random(x.shape) < 0.05] = np.nan
    known = np.nan_to_num(x)
    signal = known[:, 0] * known[:, 1] + known[:, 2] - known[:, 3] ** 2 + rng.normal(size=len(x))
    data = xgb.DMatrix(x, (signal > 0).astype(int))
    for name, params in models.items():
        params = {"objective": "binary:logistic", "eta": 0.1, "nthread": threads, "tree_method": "hist", **params}
        xgb.train(params, data, 100).save_model(f"{folder}/{name}.json")
    x[:20_000].astype(np.float64).tofile(f"{folder}/rows")
else:
    rows = np.fromfile(f"{folder}/rows").reshape(-1, 20)
    count = int(sys.argv[4])
    data = xgb.DMatrix(rows[:count])
    for name in models:
        booster = xgb.Booster({"nthread": threads}, model_file=f"{folder}/{name}.json")
        booster.predict(xgb.DMatrix(rows[:10]), pred_contribs=True)
        begin = time.perf_counter()
        values = booster.predict(data, pred_contribs=True)
        print(time.perf_counter() - begin)
        values.astype(np.float64).tofile(f"{folder}/{name}.values")
