"""A column of fine structure, learned with 255 and with 2,048 bins by LightGBM and XGBoost: RMSE on held-out rows that tests make anew.

Writes tests/parity/fixtures/fine-bins.json. Needs lightgbm, xgboost, numpy.
"""

import json
import pathlib

import lightgbm as lgb
import numpy as np
import xgboost as xgb

from mulberry import stream

out = pathlib.Path(__file__).parent.parent / "fixtures" / "fine-bins.json"
ROWS, STEPS = 6000, 600


def table(seed):
    draw = stream(seed)
    levels = stream(1)
    heights = [levels() for _ in range(STEPS)]
    x = np.array([[draw(), draw()] for _ in range(ROWS)])
    y = np.array([heights[int(a * STEPS)] + 0.2 * b for a, b in x])
    return x[:, :1], y


train, held = table(2), table(3)
found = {}
for bins in [255, 2048]:
    booster = lgb.train(
        dict(objective="regression", learning_rate=0.2, num_leaves=256, max_depth=8, max_bin=bins, min_data_in_leaf=1,
             min_data_in_bin=1, min_sum_hessian_in_leaf=1, lambda_l2=1, verbose=-1, num_threads=1, deterministic=True, seed=0),
        lgb.Dataset(*train), 100,
    )
    boosted = xgb.train(
        dict(objective="reg:squarederror", eta=0.2, max_depth=8, max_bin=bins, tree_method="hist", nthread=1, seed=0),
        xgb.DMatrix(*train), 100,
    )
    rmse = lambda p: float(np.sqrt(np.mean((p - held[1]) ** 2)))
    found[str(bins)] = dict(lightgbm=rmse(booster.predict(held[0])), xgboost=rmse(boosted.predict(xgb.DMatrix(held[0]))))

out.write_text(
    json.dumps(
        dict(
            tools=dict(lightgbm=lgb.__version__, xgboost=xgb.__version__, numpy=np.__version__),
            rows=ROWS, steps=STEPS, params=dict(trees=100, eta=0.2, depth=8), rmse=found,
        ),
        indent=1,
    )
    + "\n"
)
