"""Writes tests/parity/fixtures/calibration.json: calibrators by scikit-learn and betacal on the same scores.

Run with a Python that has numpy, scikit-learn and betacal:  python tests/parity/scripts/calibration_sklearn.py
"""

import json
import platform
from pathlib import Path

import betacal
import numpy as np
import sklearn
from sklearn.calibration import _SigmoidCalibration
from sklearn.isotonic import IsotonicRegression


def main():
    rng = np.random.default_rng(5)
    n = 400
    score = np.round(rng.beta(2, 3, n), 3)
    hit = (rng.uniform(size=n) < score**1.7).astype(int)
    weight = np.round(rng.uniform(0.2, 2.0, n), 2)
    grid = np.round(np.linspace(0.001, 0.999, 41), 6)
    logit = lambda p: np.log(p) - np.log1p(-p)
    platt = _SigmoidCalibration().fit(logit(score), hit)
    platt_weighted = _SigmoidCalibration().fit(logit(score), hit, sample_weight=weight)
    iso = IsotonicRegression(out_of_bounds="clip").fit(score, hit)
    iso_weighted = IsotonicRegression(out_of_bounds="clip").fit(score, hit, sample_weight=weight)
    beta = betacal.BetaCalibration("abm").fit(score.reshape(-1, 1), hit)
    out = {
        "tool": f"scikit-learn {sklearn.__version__}, betacal, numpy {np.__version__}, Python {platform.python_version()}",
        "script": "tests/parity/scripts/calibration_sklearn.py",
        "score": score.tolist(),
        "hit": hit.tolist(),
        "weight": weight.tolist(),
        "grid": grid.tolist(),
        "platt": platt.predict(logit(grid)).tolist(),
        "platt_weighted": platt_weighted.predict(logit(grid)).tolist(),
        "isotonic": iso.predict(grid).tolist(),
        "isotonic_weighted": iso_weighted.predict(grid).tolist(),
        "beta": np.asarray(beta.predict(grid)).tolist(),
    }
    path = Path(__file__).parent.parent / "fixtures" / "calibration.json"
    path.write_text(json.dumps(out) + "\n")


main()
