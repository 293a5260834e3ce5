"""Times one piece of work of `implicit` or NumPy; prints JSON: seconds of wall clock and of CPU.

peers.py als|bpr|item-knn|top-als|top-item-knn <folder> <threads>      matrix in starts.bin, columns.bin
peers.py inverse <folder> <threads>                                    the matrix of products of its columns
"""
import json
import os
import sys
import time

what, folder, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# implicit asks for one thread of BLAS beside its own.
os.environ["OPENBLAS_NUM_THREADS"] = sys.argv[3] if what == "inverse" else "1"
import numpy as np
import scipy.sparse as sp

starts = np.fromfile(f"{folder}/starts.bin", np.int32)
columns = np.fromfile(f"{folder}/columns.bin", np.int32)
matrix = sp.csr_matrix((np.ones(len(columns), np.float32), columns, starts), shape=(len(starts) - 1, columns.max() + 1))


def timed(work, times=1):
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return {"wall": (time.perf_counter() - wall) / times, "cpu": (time.process_time() - cpu) / times}


def sweeps(model, count):
    """Mean of `count` sweeps after a first one."""
    marks = []
    model.fit(matrix, show_progress=False, callback=lambda *_: marks.append((time.perf_counter(), time.process_time())))
    return {
        "wall": (marks[-1][0] - marks[0][0]) / count,
        "cpu": (marks[-1][1] - marks[0][1]) / count,
    }


def als(iterations):
    from implicit.cpu.als import AlternatingLeastSquares

    return AlternatingLeastSquares(factors=64, iterations=iterations, num_threads=threads, random_state=1)


def cosine():
    from implicit.nearest_neighbours import CosineRecommender

    return CosineRecommender(K=200, num_threads=threads)


def recommend(model):
    model.fit(matrix, show_progress=False)
    return timed(lambda: model.recommend(np.arange(matrix.shape[0]), matrix, N=10))


def bpr():
    from implicit.cpu.bpr import BayesianPersonalizedRanking

    return BayesianPersonalizedRanking(factors=63, iterations=6, num_threads=threads, random_state=1)


def inverse():
    products = (matrix.T @ matrix).toarray().astype(np.float64)
    products[np.diag_indices_from(products)] += 300
    return timed(lambda: np.linalg.inv(products))


print(
    json.dumps(
        {
            "als": lambda: sweeps(als(6), 5),
            "bpr": lambda: sweeps(bpr(), 5),
            "item-knn": lambda: timed(lambda: cosine().fit(matrix, show_progress=False)),
            "top-als": lambda: recommend(als(5)),
            "top-item-knn": lambda: recommend(cosine()),
            "inverse": inverse,
        }[what]()
    )
)
