import { backtest } from "./backtest.js";
import { cleaning } from "./cleaning.js";
import { decision } from "./decision.js";
import { drift } from "./drift.js";
import { forecasts } from "./forecasts.js";
import { metrics } from "./metrics.js";
import { model } from "./model.js";
import { orders } from "./orders.js";
import { promotion } from "./promotion.js";
import { profile, table } from "./quality.js";
import { recommendations } from "./recommendations.js";
import { rejects } from "./rejects.js";
import { result } from "./result.js";
import { scores } from "./scores.js";
import type { SectionKind } from "./section.js";

/**
 * Every kind of section, in the order in which they stand on a page: what is decided first, then what
 * that rests on, down to the raw data. An input gets the first kind that recognises it, from the narrowest.
 */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- each kind has content of its own
export const sections: readonly SectionKind<any>[] = [
  decision,
  orders,
  promotion,
  metrics,
  drift,
  backtest,
  forecasts,
  recommendations,
  scores,
  model,
  cleaning,
  rejects,
  profile,
  table,
  result,
];
