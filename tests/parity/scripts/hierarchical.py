"""Makes tests/parity/fixtures/hierarchical.json: forecasts of a small tree reconciled by Nixtla's hierarchicalforecast.

Usage: python tests/parity/scripts/hierarchical.py > tests/parity/fixtures/hierarchical.json
"""
import json

import hierarchicalforecast
import numpy as np
from hierarchicalforecast.methods import MinTrace

rng = np.random.default_rng(5)
# A root with two children, which have two and three; leaves are the last five.
S = np.array(
    [[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [0, 0, 1, 1, 1], *np.eye(5).tolist()], dtype=float
)
shared = rng.normal(size=(40, 1))
scale = np.array([9, 5, 6, 2, 3, 1, 2, 4.0])
errors = (0.6 * shared + 0.8 * rng.normal(size=(40, 8))) * scale
# The tool centres errors, but refuses those that are centred already.
errors -= errors.mean(axis=0) - 1e-4
forecasts = np.array([100, 38, 66, 15, 22, 10, 19, 36.0])


def reconciled(S, errors, forecasts):
    made = {}
    for name, method in {
        "mint": MinTrace("mint_shrink"),
        "wls-var": MinTrace("wls_var"),
        "wls-struct": MinTrace("wls_struct"),
        "ols": MinTrace("ols"),
    }.items():
        P, W = method._get_PW_matrices(
            S=S, y_hat=forecasts[:, None], y_insample=errors.T, y_hat_insample=np.zeros(errors.T.shape)
        )
        made[name] = (S @ (P @ forecasts)).tolist()
        if name == "mint":
            covariance = W.tolist()
    made["bottom-up"] = (S @ forecasts[-S.shape[1] :]).tolist()
    return made, covariance


made, covariance = reconciled(S, errors, forecasts)
# Forecast proportions: the children of a node share it by their own forecasts.
top = np.array([forecasts[0]])
regions = forecasts[1:3] / forecasts[1:3].sum() * top
first = forecasts[3:5] / forecasts[3:5].sum() * regions[0]
second = forecasts[5:] / forecasts[5:].sum() * regions[1]
made["top-down"] = np.concatenate([top, regions, first, second]).tolist()
# Two regions crossed with three purposes: the total, regions, purposes, leaves by region and then purpose.
crossed = np.array(
    [
        [1] * 6,
        [1, 1, 1, 0, 0, 0],
        [0, 0, 0, 1, 1, 1],
        [1, 0, 0, 1, 0, 0],
        [0, 1, 0, 0, 1, 0],
        [0, 0, 1, 0, 0, 1],
        *np.eye(6).tolist(),
    ],
    dtype=float,
)
crossed_errors = 0.5 * rng.normal(size=(30, 1)) + rng.normal(size=(30, 12)) * np.arange(12, 0, -1)
crossed_errors -= crossed_errors.mean(axis=0) - 1e-4
crossed_forecasts = np.array([100, 40, 55, 30, 36, 40, 11, 14, 18, 20, 17, 21.0])
print(
    json.dumps(
        {
            "tool": f"hierarchicalforecast {hierarchicalforecast.__version__} (top-down by hand)",
            "errors": errors.tolist(),
            "forecasts": forecasts.tolist(),
            "covariance": covariance,
            "reconciled": made,
            "crossed": {
                "errors": crossed_errors.tolist(),
                "forecasts": crossed_forecasts.tolist(),
                "reconciled": reconciled(crossed, crossed_errors, crossed_forecasts)[0],
            },
        }
    )
)
