"""Losses of regression on skewed targets: deviance or loss of LightGBM, XGBoost and scikit-learn on held-out rows that tests make anew.

Writes tests/parity/fixtures/regression-peers.json. Needs lightgbm, xgboost, scikit-learn, numpy.
"""

import json
import math
import pathlib

import lightgbm as lgb
import numpy as np
import sklearn
import xgboost as xgb
from sklearn.ensemble import HistGradientBoostingRegressor

from mulberry import stream

out = pathlib.Path(__file__).parent.parent / "fixtures" / "regression-peers.json"
ROWS = 1500


def table(seed):
    draw = stream(seed)
    rows = [[draw() for _ in range(4)] for _ in range(ROWS)]
    targets = dict(count=[], amount=[], claim=[], skewed=[])
    for a, b, c, _ in rows:
        mean = math.exp(2 * a - b + (1 if c > 0.7 and a > 0.5 else 0))
        # A sum of rare events: how many of twenty draws fall below mean / 20, so that the counts are nearly Poisson.
        count = sum(draw() < mean / 20 for _ in range(20))
        size = -math.log(1 - draw())
        targets["count"].append(count)
        targets["amount"].append(mean * (0.05 + size))
        targets["claim"].append(mean * sum(-math.log(1 - draw()) for _ in range(count)))
        targets["skewed"].append(mean + 3 * size * (draw() < 0.2) + draw())
    return np.array(rows), {name: np.array(values) for name, values in targets.items()}


def poisson(y, p):
    return np.mean(2 * (np.where(y > 0, y * np.log(np.where(y > 0, y, 1) / p), 0) - y + p))


def gamma(y, p):
    return np.mean(2 * (np.log(p / y) + y / p - 1))


def tweedie(y, p, k=1.5):
    return np.mean(2 * (np.power(y, 2 - k) / ((1 - k) * (2 - k)) - y * np.power(p, 1 - k) / (1 - k) + np.power(p, 2 - k) / (2 - k)))


def pinball(y, p, q=0.9):
    return np.mean(np.maximum(q * (y - p), (q - 1) * (y - p)))


def huber(y, p, d=1.0):
    off = np.abs(y - p)
    return np.mean(np.where(off <= d, off * off / 2, d * (off - d / 2)))


def absolute(y, p):
    return np.mean(np.abs(y - p))


plans = dict(
    poisson=("count", poisson, dict(objective="poisson"), dict(objective="count:poisson"), dict(loss="poisson")),
    gamma=("amount", gamma, dict(objective="gamma"), dict(objective="reg:gamma"), dict(loss="gamma")),
    tweedie=("claim", tweedie, dict(objective="tweedie", tweedie_variance_power=1.5),
             dict(objective="reg:tweedie", tweedie_variance_power=1.5), None),
    quantile=("skewed", pinball, dict(objective="quantile", alpha=0.9),
              dict(objective="reg:quantileerror", quantile_alpha=0.9), dict(loss="quantile", quantile=0.9)),
    huber=("skewed", huber, dict(objective="huber", alpha=1.0), dict(objective="reg:pseudohubererror", huber_slope=1.0), None),
    absolute=("skewed", absolute, dict(objective="mae"), dict(objective="reg:absoluteerror"), dict(loss="absolute_error")),
)
(x, train), (held, truth) = table(2), table(3)
found = {}
for name, (target, loss, light, extreme, hist) in plans.items():
    y = train[target]
    booster = lgb.train(
        dict(light, learning_rate=0.1, max_depth=4, num_leaves=16, min_data_in_leaf=5, min_sum_hessian_in_leaf=1, lambda_l2=1,
             verbose=-1, num_threads=1, deterministic=True, seed=0),
        lgb.Dataset(x, y), 100,
    )
    boosted = xgb.train(dict(extreme, eta=0.1, max_depth=4, tree_method="hist", nthread=1, seed=0), xgb.DMatrix(x, y), 100)
    told = dict(lightgbm=booster.predict(held), xgboost=boosted.predict(xgb.DMatrix(held)))
    if hist:
        model = HistGradientBoostingRegressor(**hist, learning_rate=0.1, max_depth=4, max_iter=100, min_samples_leaf=5,
                                              l2_regularization=1, early_stopping=False, random_state=0)
        told["sklearn"] = model.fit(x, y).predict(held)
    found[name] = dict(target=target, **{tool: float(loss(truth[target], p)) for tool, p in told.items()})

tools = dict(lightgbm=lgb.__version__, xgboost=xgb.__version__, sklearn=sklearn.__version__, numpy=np.__version__)
sums = {name: float(values.sum()) for name, values in train.items()}
out.write_text(
    json.dumps(dict(tools=tools, rows=ROWS, params=dict(trees=100, eta=0.1, depth=4), sums=sums, losses=found), indent=1) + "\n"
)
