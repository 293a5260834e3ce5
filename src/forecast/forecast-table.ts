import { isNumeric, type Relation } from "../table/relation.js";

/** The columns of a table of forecasts. */
export interface ForecastColumns {
  series: string[];
  time: string;
  /** Levels in percent, widest first. */
  levels: string[];
}

/** The columns when a table is one of forecasts: `series…, time, model, mean, lo_80, hi_80, …`. */
export function forecastColumns({ schema }: Relation): ForecastColumns | undefined {
  const names = schema.map((field) => field.name);
  const model = names.indexOf("model");
  if (model < 1 || names[model + 1] !== "mean" || !isNumeric(schema[model + 1].type)) return undefined;
  const levels = names.flatMap((name) => {
    const match = /^lo_(\d+(?:\.\d+)?)$/.exec(name);
    return match && names.includes(`hi_${match[1]}`) ? [match[1]] : [];
  });
  return {
    series: names.slice(0, model - 1),
    time: names[model - 1],
    levels: levels.sort((a, b) => Number(b) - Number(a)),
  };
}
