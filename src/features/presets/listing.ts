import { baskets } from "./baskets.js";
import { behaviour } from "./behaviour.js";
import { interactions } from "./interactions.js";
import type { Preset } from "./preset.js";
import { rfm } from "./rfm.js";
import { series } from "./series.js";
import { sessions } from "./sessions.js";
import { text } from "./text.js";

export const presets = { interactions, rfm, behaviour, sessions, series, baskets, text } satisfies Record<
  string,
  Preset
>;
export const presetNames = Object.keys(presets) as [keyof typeof presets, ...(keyof typeof presets)[]];

export function presetNamed(name: string): Preset | undefined {
  return (presets as Record<string, Preset>)[name];
}
