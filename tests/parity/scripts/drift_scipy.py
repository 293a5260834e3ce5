"""Reference values for src/metrics/drift.ts: python tests/parity/scripts/drift_scipy.py > tests/parity/fixtures/drift.json"""
import json
import numpy as np
import scipy
from scipy.spatial.distance import jensenshannon
from scipy.stats import chi2, chi2_contingency

rng = np.random.default_rng(7)
cases = []
for bins, n, m in [(2, 50, 60), (5, 1000, 400), (8, 30, 3000), (10, 100000, 90000)]:
    p, q = rng.dirichlet(np.ones(bins) * 3), rng.dirichlet(np.ones(bins) * 3)
    before, after = rng.multinomial(n, p), rng.multinomial(m, (p + q) / 2)
    a, b = before / before.sum(), after / after.sum()
    table = np.array([before, after])
    table = table[:, table.sum(axis=0) > 0]
    stat, pvalue, df, _ = chi2_contingency(table, correction=False)
    c, d = (before + 0.5) / (before + 0.5).sum(), (after + 0.5) / (after + 0.5).sum()
    cases.append({
        "before": before.tolist(), "after": after.tolist(),
        "js": float(jensenshannon(a, b, base=2)),
        "psi": float(np.sum((d - c) * np.log(d / c))),
        "ks": float(np.max(np.abs(np.cumsum(a) - np.cumsum(b)))),
        "chi2": {"statistic": float(stat), "df": int(df), "p": float(pvalue)},
    })
tails = [{"x": x, "df": df, "p": float(chi2.sf(x, df))} for x in (0.1, 1, 3.84, 20, 100, 400) for df in (1, 2, 5, 30, 99)]
print(json.dumps({"tool": "scipy", "version": scipy.__version__, "cases": cases, "tails": tails}, indent=1))
