"""Writes tests/parity/fixtures/recommend-implicit.json: factors and similarities of `implicit` on a small matrix.

pip install implicit==0.7.3 scipy numpy
"""
import json
import os
import sys

os.environ["OPENBLAS_NUM_THREADS"] = "1"
import implicit
import numpy as np
import scipy.sparse as sp
from implicit.cpu.als import AlternatingLeastSquares
from implicit.nearest_neighbours import BM25Recommender, CosineRecommender, TFIDFRecommender

rng = np.random.default_rng(5)
users, items, factors = 30, 20, 6
dense = (rng.random((users, items)) < 0.25) * rng.integers(1, 5, (users, items))
dense[3] = 0  # a user without anything
matrix = sp.csr_matrix(dense.astype(np.float32))
start_users = rng.normal(0, 0.1, (users, factors)).astype(np.float32)
start_items = rng.normal(0, 0.1, (items, factors)).astype(np.float32)


def als(use_cg):
    # implicit's confidence is the value of the matrix: 1 + 2 r, and its sweep solves users first.
    confidence = matrix.copy()
    confidence.data = 1 + 2 * confidence.data
    model = AlternatingLeastSquares(
        factors=factors, regularization=0.3, alpha=1, iterations=3, num_threads=1, use_cg=use_cg, use_native=True
    )
    model.user_factors, model.item_factors = start_users.copy(), start_items.copy()
    model.fit(confidence, show_progress=False)
    return {"users": model.user_factors.tolist(), "items": model.item_factors.tolist()}


def similar(model):
    model.fit(matrix, show_progress=False)
    return model.similarity.toarray().tolist()


out = {
    "tool": f"implicit {implicit.__version__}, numpy {np.__version__}, scipy {sp.__name__ and __import__('scipy').__version__}",
    "script": "tests/parity/scripts/recommend_implicit.py",
    "dense": dense.tolist(),
    "starts": {"users": start_users.tolist(), "items": start_items.tolist()},
    "als": {"factors": factors, "lambda": 0.3, "alpha": 2, "sweeps": 3, "cg": als(True), "cholesky": als(False)},
    "similarity": {
        "cosine": similar(CosineRecommender(K=items, num_threads=1)),
        "tf-idf": similar(TFIDFRecommender(K=items, num_threads=1)),
        "bm25": similar(BM25Recommender(K=items, num_threads=1)),
    },
}
json.dump(out, open(sys.argv[1], "w"), default=float)
