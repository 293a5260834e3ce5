"""Splits of scikit-learn to compare folds with: python folds_sklearn.py > ../fixtures/folds-sklearn.json"""

import json

import numpy as np
import sklearn
from sklearn.model_selection import GroupKFold, StratifiedKFold, TimeSeriesSplit

rows = 60
day = np.random.RandomState(3).permutation(rows)
order = np.argsort(day)
x = np.zeros((rows, 1))
time = []
for gap in (0, 3):
    for train, test in TimeSeriesSplit(5, gap=gap).split(x):
        time.append({"gap": gap, "train": sorted(order[train].tolist()), "test": sorted(order[test].tolist())})

label = np.repeat(["a", "b", "c"], [37, 16, 7])
np.random.RandomState(4).shuffle(label)
stratified = [
    sorted(int((label[test] == name).sum()) for _, test in StratifiedKFold(5, shuffle=True, random_state=1).split(x, label))
    for name in ("a", "b", "c")
]

# A few customers with many rows, many with few.
group = np.repeat(np.arange(40), np.r_[[60, 31, 17, 9], np.random.RandomState(5).randint(1, 9, 36)])
np.random.RandomState(6).shuffle(group)
grouped = [
    sorted(int(len(test)) for _, test in GroupKFold(folds).split(np.zeros((len(group), 1)), groups=group)) for folds in (3, 5)
]

print(
    json.dumps(
        {
            "tool": f"scikit-learn {sklearn.__version__}",
            "script": "tests/parity/scripts/folds_sklearn.py",
            "day": day.tolist(),
            "time": time,
            "label": label.tolist(),
            "stratified": stratified,
            "group": group.tolist(),
            "grouped": {"3": grouped[0], "5": grouped[1]},
        }
    )
)
