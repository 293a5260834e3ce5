"""Peer of bench/forecast-speed.mjs: python forecast_peers.py FILE prints the CPU seconds that statsforecast takes for its series."""
import json
import sys
import time

import numpy as np
from statsforecast.models import AutoETS, DynamicOptimizedTheta

task = json.load(open(sys.argv[1]))
make = {"ets": AutoETS, "dot": DynamicOptimizedTheta}[task["model"]]
series = [np.array(values, dtype=float) for values in task["series"]]
make(season_length=task["season"]).forecast(y=series[0], h=task["horizon"], level=[80, 95])
before = time.process_time()
for y in series:
    make(season_length=task["season"]).forecast(y=y, h=task["horizon"], level=[80, 95])
print(time.process_time() - before)
