"""LambdaMART of LightGBM and XGBoost: quality on lists that tests make anew, and lambdas of single rows.

Writes tests/parity/fixtures/ranking-peers.json. Needs lightgbm, xgboost, numpy.
"""

import json
import math
import pathlib

import lightgbm as lgb
import numpy as np
import xgboost as xgb

from mulberry import stream

out = pathlib.Path(__file__).parent.parent / "fixtures" / "ranking-peers.json"
QUERIES, HELD, ROWS, COLUMNS = 200, 200, 12, 5


def lists(queries, seed):
    draw = stream(seed)
    x, grades = [], []
    for _ in range(queries):
        own, worth = [], []
        taste = draw()
        for _ in range(ROWS):
            row = [draw() for _ in range(COLUMNS - 1)] + [taste]
            own.append(row)
            worth.append(2 * row[0] * row[1] + row[2] ** 2 - abs(row[3] - taste) + 0.8 * draw())
        order = sorted(range(ROWS), key=lambda i: -worth[i])
        grade = [0] * ROWS
        for place, i in enumerate(order[:5]):
            grade[i] = [3, 2, 2, 1, 1][place]
        x += own
        grades += grade
    return np.array(x), np.array(grades)


def ndcg(grades, scores, k):
    found = []
    for q in range(0, len(grades), ROWS):
        own, score = grades[q : q + ROWS], scores[q : q + ROWS]
        gain = lambda of: sum((2**g - 1) / math.log2(i + 2) for i, g in enumerate(of[:k]))
        found.append(gain(own[np.argsort(-score, kind="stable")]) / gain(np.sort(own)[::-1]))
    return float(np.mean(found))


x, grades = lists(QUERIES, 1)
held, truth = lists(HELD, 2)
group = [ROWS] * QUERIES
model = lgb.train(
    dict(objective="lambdarank", learning_rate=0.1, max_depth=4, num_leaves=16, min_data_in_leaf=1,
         min_sum_hessian_in_leaf=1, lambda_l2=1, lambdarank_truncation_level=10, verbose=-1, num_threads=2),
    lgb.Dataset(x, grades, group=group), 100)
light = model.predict(held)
data = xgb.DMatrix(x, grades)
data.set_group(group)
booster = xgb.train(
    dict(objective="rank:ndcg", eta=0.1, max_depth=4, lambdarank_pair_method="topk", lambdarank_num_pair_per_sample=10, nthread=2),
    data, 100)
other = booster.predict(xgb.DMatrix(held))
quality = {
    name: {f"ndcg@{k}": ndcg(truth, scores, k) for k in (5, 10)}
    for name, scores in (("lightgbm", light), ("xgboost", other))
}

# One leaf for every row: its value is minus the row's lambda over its hessian.
draw = stream(3)
small = np.arange(16, dtype=float).reshape(-1, 1)
relevance = np.array([0, 2, 1, 0, 3, 0, 1, 0, 1, 0, 0, 2, 0, 4, 0, 1])
scores = np.array([round(2 * draw() - 1, 3) for _ in range(16)])
steps = {}
for top in (3, 30):
    one = lgb.train(
        dict(objective="lambdarank", learning_rate=1, num_leaves=16, min_data_in_leaf=1, min_sum_hessian_in_leaf=0,
             min_data_in_bin=1, lambdarank_truncation_level=top, verbose=-1),
        lgb.Dataset(small, relevance, group=[8, 8], init_score=scores, params=dict(min_data_in_bin=1)), 1)
    steps[str(top)] = one.predict(small, raw_score=True).tolist()

written = {
    "made_by": "tests/parity/scripts/ranking_peers.py",
    "versions": {"lightgbm": lgb.__version__, "xgboost": xgb.__version__, "numpy": np.__version__},
    "quality": quality,
    "rows": {"relevance": relevance.tolist(), "scores": scores.tolist()},
    "steps": steps,
}
out.write_text(json.dumps(written, indent=1) + "\n")
print(json.dumps(written))
