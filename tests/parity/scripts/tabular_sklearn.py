"""Writes tests/parity/fixtures/tabular-sklearn.json: what scikit-learn and PyOD make of the same rows.

Run with a Python that has numpy, scikit-learn and pyod:  python tests/parity/scripts/tabular_sklearn.py
"""

import json
import platform
from pathlib import Path

import numpy as np
import pyod
import sklearn
from pyod.models.ecod import ECOD
from pyod.models.lof import LOF
from sklearn.linear_model import ElasticNet, GammaRegressor, LogisticRegression, PoissonRegressor
from sklearn.naive_bayes import CategoricalNB, GaussianNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor, LocalOutlierFactor
from sklearn.preprocessing import OrdinalEncoder
from sklearn.svm import LinearSVC

from learners_sklearn import NUMBERS, TEXTS, design, encoder, rows


def main():
    data = rows(160)
    n = 160
    x = design(data)
    z = encoder().fit_transform(x).astype(float)
    numbers = np.column_stack([data[name] for name in NUMBERS])
    cases = {}

    def saga(name, target, c, ratio, weighted=False):
        model = LogisticRegression(solver="saga", C=c, l1_ratio=ratio, tol=1e-12, max_iter=200000)
        if "penalty" in LogisticRegression().get_params() and sklearn.__version__ < "1.8":
            model.set_params(penalty="elasticnet")
        model.fit(z, data[target], sample_weight=data["weight"] if weighted else None)
        cases[name] = dict(c=c, ratio=ratio, scores=model.predict_proba(z).tolist())

    saga("logistic, lasso", "bought", 0.2, 1.0)
    saga("logistic, elastic net, weighted", "bought", 0.5, 0.5, weighted=True)
    saga("logistic, elastic net, three classes", "tier", 0.3, 0.5)

    def regression(name, model, target, weighted=False, **about):
        model.fit(z, data[target], sample_weight=data["weight"] if weighted else None)
        cases[name] = dict(about, scores=model.predict(z).tolist())

    a, ratio = 0.3, 0.7
    regression("linear, elastic net", ElasticNet(alpha=a, l1_ratio=ratio, tol=1e-14, max_iter=10**6), "spent",
               l1=n * a * ratio, **{"lambda": n * a * (1 - ratio)})
    regression("linear, poisson", PoissonRegressor(alpha=0.01, tol=1e-12, max_iter=10**5), "visits",
               **{"lambda": n * 0.01})
    total = float(data["weight"].sum())
    regression("linear, gamma, weighted", GammaRegressor(alpha=0.02, tol=1e-12, max_iter=10**5), "price", True,
               **{"lambda": total * 0.02})

    for loss in ["squared_hinge", "hinge"]:
        model = LinearSVC(C=0.7, loss=loss, dual=True, tol=1e-10, max_iter=10**6, random_state=0).fit(z, data["bought"])
        cases[f"svm, {loss}"] = dict(weights=[*model.coef_[0].tolist(), float(model.intercept_[0])])

    gaussian = GaussianNB().fit(numbers, data["tier"])
    cases["naive-bayes, numbers"] = dict(scores=gaussian.predict_proba(numbers).tolist())
    levels = OrdinalEncoder().fit_transform(np.column_stack([data[name] for name in TEXTS])).astype(int)
    categorical = CategoricalNB(alpha=0.5).fit(levels, data["tier"], sample_weight=data["weight"])
    cases["naive-bayes, texts, weighted"] = dict(scores=categorical.predict_proba(levels).tolist())

    fresh = encoder().fit(x)
    query = x.copy()
    query[:, 0] = [float(v) + 3.3 for v in query[:, 0]]
    zq = fresh.transform(query).astype(float)
    for by in ["uniform", "distance"]:
        model = KNeighborsClassifier(7, weights=by, algorithm="brute").fit(z, data["tier"])
        cases[f"knn, {by}"] = dict(scores=model.predict_proba(zq).tolist())
    model = KNeighborsRegressor(5, weights="distance").fit(z, data["spent"])
    cases["knn, numbers"] = dict(scores=model.predict(zq).tolist())

    lof = LOF(n_neighbors=9, contamination=0.1).fit(z)
    novelty = LocalOutlierFactor(n_neighbors=9, novelty=True).fit(z)
    cases["lof"] = dict(threshold=float(lof.threshold_), scores=(-novelty.score_samples(zq)).tolist())
    ecod = ECOD(contamination=0.1).fit(numbers)
    cases["ecod"] = dict(threshold=float(ecod.threshold_), scores=ecod.decision_scores_.tolist(),
                         labels=ecod.labels_.tolist())

    shown = lambda values: [round(v, 10) for v in values]
    for case in cases.values():
        if "scores" in case:
            scores = case["scores"][:40] if not ("labels" in case) else case["scores"]
            case["scores"] = [shown(s) if isinstance(s, list) else round(s, 10) for s in scores]
    out = dict(
        tool="scikit-learn and PyOD",
        versions=dict(sklearn=sklearn.__version__, pyod=pyod.__version__, numpy=np.__version__, python=platform.python_version()),
        script="tests/parity/scripts/tabular_sklearn.py",
        rows={name: values.tolist() for name, values in data.items()},
        cases=cases,
    )
    path = Path(__file__).parent.parent / "fixtures" / "tabular-sklearn.json"
    path.write_text(json.dumps(out, ensure_ascii=False) + "\n")


main()
