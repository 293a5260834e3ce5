"""Writes tests/parity/fixtures/learners-sklearn.json: what scikit-learn makes of the same rows.

Run with a Python that has numpy and scikit-learn:  python tests/parity/scripts/learners_sklearn.py
"""

import json
import platform
from pathlib import Path

import numpy as np
import sklearn
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.preprocessing import OneHotEncoder, StandardScaler

NUMBERS = ["price", "visits", "days"]
TEXTS = ["country", "channel"]


def rows(n=240, seed=7):
    rng = np.random.default_rng(seed)
    price = np.round(rng.gamma(2.0, 15.0, n), 2)
    visits = rng.poisson(4, n).astype(float)
    days = np.round(rng.normal(100, 30, n), 1)
    country = rng.choice(["NO", "DE", "中国", "FR"], n, p=[0.4, 0.3, 0.2, 0.1])
    channel = rng.choice(["mail", "search", "shop"], n)
    weight = np.round(rng.uniform(0.2, 3.0, n), 2)
    lift = 0.05 * price + 0.4 * visits - 0.02 * days + 0.9 * (country == "NO") - 0.5 * (channel == "mail")
    bought = (lift + rng.logistic(0, 1, n) > np.quantile(lift, 0.6)).astype(int)
    spent = np.round(20 + 3 * lift + rng.normal(0, 2, n), 3)
    tier = np.where(lift + rng.normal(0, 1, n) > 2.5, "gold", np.where(days > 100, "silver", "bronze"))
    return dict(
        price=price, visits=visits, days=days, country=country, channel=channel,
        weight=weight, bought=bought, spent=spent, tier=tier,
    )


def design(data):
    return np.array([[data[name][i] for name in NUMBERS + TEXTS] for i in range(len(data["price"]))], dtype=object)


def encoder(scale=True):
    return ColumnTransformer(
        [
            ("numbers", StandardScaler() if scale else StandardScaler(with_std=False), [0, 1, 2]),
            ("texts", OneHotEncoder(sparse_output=False), [3, 4]),
        ]
    )


def main():
    data = rows()
    x = design(data)
    cases = {}

    def logistic(name, target, weighted=False, **params):
        z = encoder().fit_transform(x).astype(float)
        model = LogisticRegression(tol=1e-12, max_iter=100000, **params)
        model.fit(z, data[target], sample_weight=data["weight"] if weighted else None)
        cases[name] = dict(
            classes=[str(c) for c in model.classes_],
            coefficients=np.column_stack([model.coef_, model.intercept_]).tolist(),
            probabilities=model.predict_proba(z)[:10].tolist(),
        )

    logistic("logistic", "bought", C=1.0)
    logistic("logistic, lambda 0.1, weighted", "bought", weighted=True, C=10.0)
    logistic("logistic, balanced", "bought", C=1.0, class_weight="balanced")
    logistic("logistic, three classes", "tier", C=1.0)

    def linear(name, model, weighted=False, scale=True):
        z = encoder(scale).fit_transform(x).astype(float)
        model.fit(z, data["spent"], sample_weight=data["weight"] if weighted else None)
        cases[name] = dict(
            coefficients=[*model.coef_.tolist(), float(model.intercept_)],
            predictions=model.predict(z)[:10].tolist(),
        )

    linear("linear, ridge", Ridge(alpha=3.0, solver="cholesky"))
    linear("linear, ridge, weighted, not scaled", Ridge(alpha=0.5, solver="cholesky"), weighted=True, scale=False)
    linear("linear, least squares", LinearRegression())

    points = StandardScaler().fit_transform(np.column_stack([data[name] for name in NUMBERS]))
    starts = points[:5]
    for k, name in [(5, "kmeans")]:
        model = KMeans(k, init=starts, n_init=1, tol=0, max_iter=300, algorithm="lloyd").fit(points)
        cases[name] = dict(
            starts=starts.tolist(),
            inertia=float(model.inertia_),
            centers=model.cluster_centers_.tolist(),
            labels=model.labels_.tolist(),
        )

    out = dict(
        tool="scikit-learn",
        versions=dict(sklearn=sklearn.__version__, numpy=np.__version__, python=platform.python_version()),
        script="tests/parity/scripts/learners_sklearn.py",
        rows={name: values.tolist() for name, values in data.items()},
        cases=cases,
    )
    path = Path(__file__).parent.parent / "fixtures" / "learners-sklearn.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(out, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
