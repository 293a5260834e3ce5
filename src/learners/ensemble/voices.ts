import { topK } from "../../kernels/top-k.js";
import { profileOf, type Person } from "../lists.js";
import type { Catalogue } from "../recommendations.js";
import { trainingProfile, type Profile, type Scorer } from "../scorer.js";
import type { Member } from "./parts.js";

/** A member as the whole hears it: scores in the codes of the whole. */
export interface Voice {
  name: string;
  scorer: Scorer;
  /** Whether it can answer for somebody of whom it knows only items. */
  folds: boolean;
  /**
   * Fills `into` with a score per item of the whole, NaN for items that the member does not know.
   *
   * @returns false when it knows nothing of this person
   */
  scores(profile: Profile, into: Float64Array): boolean;
  /** What each item of a profile adds to the member's score of an item; undefined where it cannot say. */
  shares?(profile: Profile, item: number, into: Float64Array): void;
  /** How alike every item is to one, as the member has it. */
  similar?(item: number, into: Float64Array): void;
}

/** @param whole the catalogue of the model that holds the member */
export function voiceOf(whole: Catalogue, { name, model }: Member): Voice {
  const own = model.catalogue!;
  const scorer = model.scorer!;
  const itemCode = codesOf(whole.items, own.items);
  const userCode = codesOf(whole.users, own.users);
  const buffer = new Float64Array(own.items.length);
  const spread = (into: Float64Array): void => {
    for (let i = 0; i < into.length; i++) into[i] = itemCode[i] < 0 ? NaN : buffer[itemCode[i]];
  };
  const own_ = (profile: Profile): Profile => translated(profile, own, itemCode, userCode);
  return {
    name,
    scorer,
    folds: scorer.profile !== undefined,
    scores(profile, into) {
      const theirs = own_(profile);
      const plain = theirs.user >= 0 && (theirs.fresh === theirs.items.length || !scorer.profile);
      if (plain) scorer.user(theirs.user, buffer);
      else if (scorer.profile && theirs.items.length > 0) scorer.profile(theirs, buffer);
      else return false;
      spread(into);
      return true;
    },
    shares:
      scorer.shares &&
      ((profile, item, into) => {
        if (itemCode[item] < 0) return void into.fill(0, 0, profile.items.length);
        const theirs = own_(profile);
        const parts = new Float64Array(theirs.items.length);
        scorer.shares!(theirs, itemCode[item], parts);
        const place = new Map([...theirs.items.keys()].map((p) => [theirs.items[p], p]));
        for (let p = 0; p < profile.items.length; p++)
          into[p] = parts[place.get(itemCode[profile.items[p]]) ?? -1] ?? 0;
      }),
    similar:
      scorer.similar &&
      ((item, into) => {
        if (itemCode[item] < 0) return void into.fill(NaN);
        scorer.similar!(itemCode[item], buffer);
        spread(into);
      }),
  };
}

/** Code in `own` of every level of `whole`, -1 for those that are not there. */
function codesOf(whole: readonly string[], own: readonly string[]): Int32Array {
  const code = new Map(own.map((level, i) => [level, i]));
  return Int32Array.from(whole, (level) => code.get(level) ?? -1);
}

/** A profile in a member's own codes: its training rows where it knows the user, then what it had not seen. */
function translated(
  { user, items, values }: Profile,
  own: Catalogue,
  itemCode: Int32Array,
  userCode: Int32Array,
): Profile {
  const theirUser = user < 0 ? -1 : userCode[user];
  const known = theirUser < 0 ? undefined : trainingProfile(own, theirUser);
  const seen = new Set(known?.items);
  const newer: Person["newer"] = { items: new Int32Array() };
  const places = [...items.keys()].filter((p) => itemCode[items[p]] >= 0 && !seen.has(itemCode[items[p]]));
  newer.items = Int32Array.from(places, (p) => itemCode[items[p]]);
  if (values) newer.values = Float32Array.from(places, (p) => values[p]);
  return profileOf(own, { user: theirUser, newer });
}

/** Ranks beyond it count as no recommendation at all in reciprocal rank fusion. */
const deepest = 1000;

/** How one member's scores become numbers that add up with those of others. */
export type Fusion = "blend" | "rrf";

/**
 * Puts scores on the scale of a fusion, in place:
 *
 * - blend: z = (s - mean) / deviation over the items that are not in the profile (z-norm of Renda & Straccia 2003)
 * - rrf: 1 / (60 + rank) among them (Cormack, Clarke & Büttcher 2009, eq. 1)
 *
 * Items that the member does not know get 0: the mean, or no rank.
 *
 * @returns what a score was divided by (1 for rrf)
 */
export function fuse(fusion: Fusion, scores: Float64Array, profile: Profile, ties: Int32Array): number {
  if (fusion === "blend") return standardise(scores, profile);
  for (const item of profile.items) scores[item] = -Infinity;
  for (let i = 0; i < scores.length; i++) if (Number.isNaN(scores[i])) scores[i] = -Infinity;
  const best = new Int32Array(Math.min(deepest, scores.length));
  const found = topK(scores, ties, best);
  scores.fill(0);
  for (let i = 0; i < found; i++) scores[best[i]] = 1 / (60 + i + 1);
  return 1;
}

function standardise(scores: Float64Array, profile: Profile): number {
  let count = 0;
  let sum = 0;
  let squares = 0;
  const add = (value: number, sign: number): void => {
    if (Number.isNaN(value)) return;
    count += sign;
    sum += sign * value;
  };
  for (let i = 0; i < scores.length; i++) add(scores[i], 1);
  for (const item of profile.items) add(scores[item], -1);
  const mean = count > 0 ? sum / count : 0;
  for (let i = 0; i < scores.length; i++) if (!Number.isNaN(scores[i])) squares += (scores[i] - mean) ** 2;
  for (const item of profile.items) if (!Number.isNaN(scores[item])) squares -= (scores[item] - mean) ** 2;
  const deviation = Math.sqrt(Math.max(0, squares) / Math.max(1, count));
  const divisor = deviation > 1e-12 * (Math.abs(mean) + 1e-300) ? deviation : Infinity;
  for (let i = 0; i < scores.length; i++)
    scores[i] = Number.isNaN(scores[i]) || divisor === Infinity ? 0 : (scores[i] - mean) / divisor;
  return divisor;
}
