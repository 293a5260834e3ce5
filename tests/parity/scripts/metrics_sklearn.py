"""Writes tests/parity/fixtures/metrics.json: inputs and the values that scikit-learn gives on them.

    python3 -m venv venv && venv/bin/pip install scikit-learn==1.9.1
    venv/bin/python tests/parity/scripts/metrics_sklearn.py > tests/parity/fixtures/metrics.json

ECE, WAPE and the ranking metrics have no function in scikit-learn: they are written out here with numpy, from
the papers that the docstrings of src/metrics name. Scores are rounded to two digits, so that ties occur.
"""

import json
import sys

import numpy as np
import sklearn
from sklearn import metrics as m

rng = np.random.default_rng(20250117)


def ece(confidence, right, weights, bins=15):
    edge = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    total = 0.0
    for b in range(bins):
        rows = edge == b
        total += abs(np.sum(weights[rows] * (confidence[rows] - right[rows])))
    return total / weights.sum()


def binary(n, weighted):
    truth = (rng.random(n) < 0.3).astype(int)
    score = np.round(np.clip(0.3 + 0.25 * truth + 0.2 * rng.standard_normal(n), 0, 1), 2)
    score[:3] = [0.0, 1.0, 0.5]
    predicted = (score >= 0.45).astype(int)
    w = np.round(rng.random(n) * 3, 3) if weighted else np.ones(n)
    both = np.column_stack([1 - score, score])
    return {
        "truth": truth.tolist(),
        "score": score.tolist(),
        "predicted": predicted.tolist(),
        "weights": w.tolist(),
        "expected": {
            "auc": m.roc_auc_score(truth, score, sample_weight=w),
            "pr_auc": m.average_precision_score(truth, score, sample_weight=w),
            "log_loss": m.log_loss(truth, both, sample_weight=w),
            "brier": m.brier_score_loss(truth, score, sample_weight=w),
            "ece": ece(score, truth, w),
            "accuracy": m.accuracy_score(truth, predicted, sample_weight=w),
            "balanced_accuracy": m.balanced_accuracy_score(truth, predicted, sample_weight=w),
            "precision": m.precision_score(truth, predicted, sample_weight=w),
            "recall": m.recall_score(truth, predicted, sample_weight=w),
            "f1": m.f1_score(truth, predicted, sample_weight=w),
            "macro_f1": m.f1_score(truth, predicted, average="macro", sample_weight=w),
            "mcc": m.matthews_corrcoef(truth, predicted, sample_weight=w),
        },
    }


def multiclass(n, k, weighted):
    truth = rng.choice(k, n, p=[0.5, 0.3, 0.15, 0.05])
    raw = rng.random((n, k)) + 0.8 * np.eye(k)[truth] * rng.random((n, 1))
    p = raw / raw.sum(axis=1, keepdims=True)
    predicted = p.argmax(axis=1)
    predicted[predicted == 3] = 2  # a class that is never predicted
    w = np.round(rng.random(n) * 3, 3) if weighted else np.ones(n)
    hot = np.eye(k)[truth]
    top = p.argmax(axis=1)
    return {
        "truth": truth.tolist(),
        "probability": p.T.tolist(),
        "predicted": predicted.tolist(),
        "weights": w.tolist(),
        "expected": {
            "auc": m.roc_auc_score(hot, p, average="macro", sample_weight=w),
            "pr_auc": m.average_precision_score(hot, p, average="macro", sample_weight=w),
            "log_loss": m.log_loss(truth, p, sample_weight=w),
            "brier": float(np.sum(w * ((p - hot) ** 2).sum(axis=1)) / w.sum()),
            "ece": ece(p.max(axis=1), (top == truth).astype(float), w),
            "accuracy": m.accuracy_score(truth, predicted, sample_weight=w),
            "balanced_accuracy": m.balanced_accuracy_score(truth, predicted, sample_weight=w),
            "precision": m.precision_score(truth, predicted, average="macro", sample_weight=w, zero_division=0),
            "recall": m.recall_score(truth, predicted, average="macro", sample_weight=w),
            "f1": m.f1_score(truth, predicted, average="macro", sample_weight=w),
            "macro_f1": m.f1_score(truth, predicted, average="macro", sample_weight=w),
            "mcc": m.matthews_corrcoef(truth, predicted, sample_weight=w),
        },
    }


def regression(n, weighted, quantile):
    truth = 1000 + np.round(50 * rng.standard_normal(n), 3)
    predicted = truth + np.round(20 * rng.standard_normal(n), 3)
    w = np.round(rng.random(n) * 3, 3) if weighted else np.ones(n)
    return {
        "truth": truth.tolist(),
        "predicted": predicted.tolist(),
        "weights": w.tolist(),
        "quantile": quantile,
        "expected": {
            "rmse": m.root_mean_squared_error(truth, predicted, sample_weight=w),
            "mae": m.mean_absolute_error(truth, predicted, sample_weight=w),
            "mape": m.mean_absolute_percentage_error(truth, predicted, sample_weight=w),
            "wape": float(np.sum(w * np.abs(truth - predicted)) / np.sum(w * np.abs(truth))),
            "r2": m.r2_score(truth, predicted, sample_weight=w),
            "pinball": m.mean_pinball_loss(truth, predicted, alpha=quantile, sample_weight=w),
        },
    }


def clustering(n, d, k):
    cluster = rng.integers(0, k, n)
    cluster[0], cluster[cluster == k - 1] = k - 1, 0
    cluster[0] = k - 1  # a cluster of one row
    points = np.round(rng.standard_normal((n, d)) + 1.5 * rng.standard_normal((k, d))[cluster], 4)
    return {
        "points": points.ravel().tolist(),
        "dimensions": d,
        "clusters": k,
        "cluster": cluster.tolist(),
        "expected": {
            "silhouette": m.silhouette_score(points, cluster),
            "davies_bouldin": m.davies_bouldin_score(points, cluster),
        },
        "silhouettes": m.silhouette_samples(points, cluster).tolist(),
    }


def ranking(users, items, k):
    lists, hits, relevant = [], [], []
    for u in range(users):
        length = [0, 3, k, k + 4][u % 4]
        lists.append(rng.permutation(items)[:length].tolist())
        wanted = set(rng.permutation(items)[: int(rng.integers(1, 15))].tolist())
        hits.append([int(i in wanted) for i in lists[-1]])
        relevant.append(len(wanted))
    holders = rng.integers(1, 40, items)
    value = {name: [] for name in ("precision", "recall", "ndcg", "map", "mrr", "hit_rate")}
    surprise = []
    for chosen, hit, wanted in zip(lists, hits, relevant):
        hit = np.array(hit[:k], dtype=float)
        place = np.arange(1, len(hit) + 1)
        value["precision"].append(hit.sum() / k)
        value["recall"].append(hit.sum() / wanted)
        ideal = (1 / np.log2(np.arange(1, min(k, wanted) + 1) + 1)).sum()
        value["ndcg"].append((hit / np.log2(place + 1)).sum() / ideal)
        value["map"].append((hit * np.cumsum(hit) / place).sum() / wanted)
        value["mrr"].append(1 / (hit.argmax() + 1) if hit.any() else 0.0)
        value["hit_rate"].append(float(hit.any()))
        surprise += [-np.log2(holders[i] / 40) for i in chosen[:k]]
    shown = [set(chosen[:k]) for chosen in lists if chosen]
    pairs = [1 - len(a & b) / k for i, a in enumerate(shown) for b in shown[i + 1 :]]
    expected = {f"{name}@{k}": float(np.mean(values)) for name, values in value.items()}
    expected[f"coverage@{k}"] = len(set().union(*shown)) / items
    expected[f"diversity@{k}"] = float(np.mean(pairs))
    expected[f"novelty@{k}"] = float(np.mean(surprise))
    times = np.bincount([i for chosen in lists for i in chosen[:k]], minlength=items)
    # The mean difference of two different items, over twice the mean.
    expected[f"gini@{k}"] = float(
        np.abs(times[:, None] - times[None, :]).sum() / (items * (items - 1)) / (2 * times.mean())
    )
    return {
        "lists": lists,
        "hits": hits,
        "relevant": relevant,
        "items": items,
        "k": k,
        "holders": holders.tolist(),
        "trainingUsers": 40,
        "expected": expected,
    }


json.dump(
    {
        "made_by": "tests/parity/scripts/metrics_sklearn.py",
        "versions": {"python": sys.version.split()[0], "numpy": np.__version__, "scikit-learn": sklearn.__version__},
        "binary": [binary(150, False), binary(150, True)],
        "multiclass": [multiclass(120, 4, False), multiclass(120, 4, True)],
        "regression": [regression(100, False, 0.5), regression(100, True, 0.9)],
        "clustering": [clustering(80, 3, 4)],
        "ranking": [ranking(23, 30, 5), ranking(23, 30, 10)],
    },
    sys.stdout,
)
