import type { Plan } from "../plan.js";
import type { RoleFinder, RoleOptions } from "../roles.js";
import type { Spec } from "../spec.js";

/** Options of presets, as the command line names them. */
export interface PresetOptions {
  series?: string[];
  windows?: string[];
  events?: string[];
  weights?: Record<string, number>;
  halfLife?: number;
  minUser?: number;
  minItem?: number;
  freq: "D" | "W" | "M";
  fill: "zero" | "none";
  from: "own" | "table";
  lags?: number[];
  rolling?: number[];
  gap: number;
  conversion?: string[];
  form: "list" | "long";
  ngrams?: number[];
  /** The one moment before which events count, where a preset takes one. */
  asOf?: string;
}

/** What a preset builds on its own before the spec, with all it needs to do so again. */
export interface Shaping extends PresetOptions {
  roles: RoleOptions;
}

/** A ready-made feature table: a spec, or a shape of its own that a spec can go on from. */
export interface Preset {
  name: string;
  summary: string;
  /** The spec that the preset stands for. */
  spec?(roles: RoleFinder, options: PresetOptions, plan: Plan): Spec;
  /** Finds the columns it works on; the names are kept for `--apply`. */
  roles?(roles: RoleFinder): void;
  /** Shapes the table. */
  build?(plan: Plan, shaping: Shaping): Promise<Plan>;
}
