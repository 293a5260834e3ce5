"""Writes tests/parity/fixtures/recommend-slim.json: item weights of SLIM by scikit-learn's elastic net.

pip install scikit-learn numpy
"""
import json
import sys

import numpy as np
import sklearn
from sklearn.linear_model import ElasticNet

rng = np.random.default_rng(9)
users, items = 40, 14
dense = (rng.random((users, items)) < 0.3) * rng.integers(1, 4, (users, items)).astype(float)
l2, l1 = 2.0, 0.5
weights = np.zeros((items, items))
for item in range(items):
    others = np.delete(np.arange(items), item)
    # scikit-learn divides the squares by twice the rows: 1/(2n) |y - Xw|^2 + alpha ratio |w| + alpha (1 - ratio) / 2 |w|^2.
    net = ElasticNet(
        alpha=(l1 + l2) / users, l1_ratio=l1 / (l1 + l2), positive=True, fit_intercept=False, tol=1e-12, max_iter=100000
    )
    weights[item, others] = net.fit(dense[:, others], dense[:, item]).coef_
json.dump(
    {
        "tool": f"scikit-learn {sklearn.__version__}, numpy {np.__version__}",
        "script": "tests/parity/scripts/recommend_slim.py",
        "l2": l2,
        "l1": l1,
        "dense": dense.astype(int).tolist(),
        "weights": weights.round(9).tolist(),
    },
    open(sys.argv[1], "w"),
)
