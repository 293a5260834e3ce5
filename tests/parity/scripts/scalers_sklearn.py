"""Scaled values of one column, fitted on its first rows, as reference for src/features/scale.ts.

Run: python tests/parity/scripts/scalers_sklearn.py > tests/parity/fixtures/scalers.json
"""
import json

import numpy as np
import sklearn
from sklearn.preprocessing import MinMaxScaler, QuantileTransformer, RobustScaler, StandardScaler

rng = np.random.default_rng(7)
# A large mean beside a small spread, ties at both ends and inside, and test values out of the train range.
train = np.concatenate([1e6 + rng.gamma(2.0, 150.0, 40).round(1), [1e6] * 4, [1e6 + 300] * 6, [1e6 + 900] * 3])
test = np.array([1e6 - 50, 1e6, 1e6 + 300, 1e6 + 123.45, 1e6 + 5000])
scalers = {
    "standard": StandardScaler(),
    "minmax": MinMaxScaler(),
    "robust": RobustScaler(),
    "quantile": QuantileTransformer(n_quantiles=11, subsample=None),
}
x = np.concatenate([train, test])
out = {
    "made_with": f"scikit-learn {sklearn.__version__}, numpy {np.__version__}",
    "x": x.tolist(),
    "train": len(train),
}
for name, scaler in scalers.items():
    scaler.fit(train.reshape(-1, 1))
    out[name] = scaler.transform(x.reshape(-1, 1)).ravel().tolist()
print(json.dumps(out, indent=1))
