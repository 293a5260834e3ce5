"""Writes tests/parity/fixtures/ses.json: series and what statsmodels' SimpleExpSmoothing makes of them.

    python3 -m venv venv && venv/bin/pip install statsmodels==0.15.0
    venv/bin/python tests/parity/scripts/ses_statsmodels.py > tests/parity/fixtures/ses.json

The first level is estimated, as in R's forecast::ses(initial = "optimal"). Its optimiser stops at a
gradient tolerance, so alpha agrees to some 1e-4 and the sum of squares to some 1e-7, relative; with a given
alpha only the first level is estimated.
"""

import json
import sys

import numpy as np
import statsmodels
from statsmodels.datasets import nile
from statsmodels.tsa.holtwinters import SimpleExpSmoothing

rng = np.random.default_rng(7)
series = {
    "nile": nile.load_pandas().data["volume"].to_numpy(float),
    "walk": np.round(100 + np.cumsum(rng.standard_normal(60)), 3),
    "noise": np.round(50 + 5 * rng.standard_normal(80), 3),
    "level": np.round(1000 + np.cumsum(2 * rng.standard_normal(120)) + 6 * rng.standard_normal(120), 3),
    "demand": rng.poisson(0.7, 90).astype(float),
    "short": np.array([3.0, 5.0, 4.0]),
}


def entry(values, alpha=None):
    model = SimpleExpSmoothing(values, initialization_method="estimated")
    fit = model.fit(smoothing_level=alpha, optimized=True)
    return {
        "values": values.tolist(),
        "given": alpha,
        "alpha": float(fit.params["smoothing_level"]),
        "first": float(fit.params["initial_level"]),
        "squares": float(fit.sse),
        "forecast": float(fit.forecast(1)[0]),
    }


cases = {name: entry(values) for name, values in series.items()}
cases["nile, alpha 0.2"] = entry(series["nile"], 0.2)
json.dump(
    {
        "made_by": "tests/parity/scripts/ses_statsmodels.py",
        "versions": {
            "python": sys.version.split()[0],
            "numpy": np.__version__,
            "statsmodels": statsmodels.__version__,
        },
        "cases": cases,
    },
    sys.stdout,
)
