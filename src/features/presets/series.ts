import type { Preset } from "./preset.js";

/** Regular series per product (or whatever `--series` names), gaps filled by a stated rule, ready for `forecast`. */
export const series: Preset = {
  name: "series",
  summary: "daily, weekly or monthly totals per series, gaps filled with 0",
  spec(roles, options) {
    const by = options.series ?? [roles.need("item").name];
    const time = roles.need("time").name;
    // Demand is counted in pieces; money only when it was asked for or nothing else is there.
    const value = (roles.named("value") ?? roles.may("quantity") ?? roles.may("value"))?.name;
    const column = value ?? "n_rows";
    return {
      time,
      series: { by, value, freq: options.freq, fill: options.fill, from: options.from },
      lags: options.lags && [{ of: column, by: options.lags }],
      rolling: options.rolling && [{ of: column, over: options.rolling, do: "mean" }],
    };
  },
};
