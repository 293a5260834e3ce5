"""The features of `featurize --preset behaviour` in pandas: python bench/pandas_behaviour.py events.parquet 2024-06-29 out.parquet"""
import sys

import pandas as pd

path, moment, out = sys.argv[1], pd.Timestamp(sys.argv[2]), sys.argv[3]
events = pd.read_parquet(path)
events = events[events.ts < moment]
events["amount"] = events.amount.astype("float64")
features = pd.DataFrame(index=pd.Index(sorted(events.user_id.unique()), name="user_id"))
for days in (7, 30, 90):
    inside = events[events.ts >= moment - pd.Timedelta(days=days)]
    by_user = inside.groupby("user_id")
    features[f"n_events_{days}d"] = by_user.size()
    features[f"amount_sum_{days}d"] = by_user.amount.sum()
    features[f"item_id_distinct_{days}d"] = by_user.item_id.nunique()
    kinds = inside.groupby(["user_id", "event"]).size().unstack(fill_value=0)
    for kind in kinds.columns:
        features[f"n_{kind}_{days}d"] = kinds[kind]
features = features.fillna(0)
recent = events[events.ts >= moment - pd.Timedelta(days=90)]
features["days_since_last"] = (moment - recent.groupby("user_id").ts.max()).dt.days
last = recent.groupby(["user_id", "event"]).ts.max().unstack()
for kind in last.columns:
    features[f"days_since_last_{kind}"] = (moment - last[kind]).dt.days
features.to_parquet(out)
