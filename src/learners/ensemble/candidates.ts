import { ident } from "../../engine/sql.js";
import { topK } from "../../kernels/top-k.js";
import type { Relation } from "../../table/relation.js";
import { perItem } from "../interactions.js";
import type { Roles } from "../learner.js";
import { popularityRanks, type Profile } from "../scorer.js";
import { fuse, type Voice } from "./voices.js";

/** What is known of items whoever asks, from the rows that the parts were fitted on. */
export interface Standing {
  /** log(1 + users) of every item. */
  popularity: Float64Array;
  /** Where times are known: log of the last tenth of an item's rows over what even times would give. */
  trend?: Float64Array;
}

/**
 * @param rows  interactions
 * @param items by code
 */
export async function standingOf(rows: Relation, roles: Roles, items: readonly string[]): Promise<Standing> {
  const item = ident(roles.item!);
  const user = ident(roles.user!);
  const count = (where: string): Promise<Float64Array> =>
    perItem(
      rows,
      items,
      `SELECT ${item}::VARCHAR AS item, count(DISTINCT ${user})::DOUBLE AS value FROM (${rows.sql}) WHERE ${item} IS NOT NULL AND ${where} GROUP BY 1 ORDER BY 1`,
    );
  const users = await count("true");
  const popularity = users.map((number) => Math.log1p(number));
  if (roles.time === undefined) return { popularity };
  const time = ident(roles.time);
  const recent = await count(`${time} >= (SELECT quantile_disc(${time}, 0.9) FROM (${rows.sql}))`);
  return { popularity, trend: recent.map((number, i) => Math.log((number + 1) / (users[i] / 10 + 1))) };
}

/** The union of what parts recall for one profile. */
export interface Candidates {
  /** Codes, ascending. */
  items: Int32Array;
  /** candidates x features: those of the linear ranker, then more (`featureNames`). */
  features: Float32Array;
  /** Of any item, what the linear ranker sees; until the next profile. */
  plain(item: number, into: Float32Array): void;
}

/**
 * What rankers see of a candidate. The linear one sees what parts say and how popular an item is, and no more: what is
 * the same for all candidates of a list cannot change their order, and products with it were noise where they were tried.
 */
export function featureNames(
  parts: readonly string[],
  { trend }: Standing,
): Record<"linear" | "more", string[]> {
  return {
    linear: [...parts.map((part) => `${part} score`), "log popularity", ...(trend ? ["trend"] : [])],
    more: [
      ...parts.map((part) => `${part} reciprocal rank`),
      "parts that recall it",
      "log popularity above what the user had",
      "log popularity of what the user had",
      "activity",
      ...(trend ? ["trend of what the user had"] : []),
    ],
  };
}

/**
 * Unites what the voices recall for a profile, with the features of every candidate.
 *
 * @param popularity orders items of equal scores
 * @param depth      items that every voice recalls
 */
export function recaller(
  popularity: Float64Array,
  standing: Standing,
  voices: readonly Voice[],
  depth: number,
): (profile: Profile) => Candidates {
  const size = popularity.length;
  const ties = popularityRanks({ popularity });
  const scores = voices.map(() => new Float64Array(size));
  const best = voices.map(() => new Int32Array(Math.min(depth, size)));
  const votes = new Uint8Array(size);
  const place = voices.map(() => new Int32Array(size));
  const { popularity: logPopularity, trend } = standing;
  const { linear, more } = featureNames(
    voices.map(({ name }) => name),
    standing,
  );
  const width = linear.length + more.length;
  return (profile) => {
    const activity = Math.log1p(profile.items.length);
    const usual = meanOf(logPopularity, profile);
    const usualTrend = trend && meanOf(trend, profile);
    const chosen: number[] = [];
    voices.forEach((voice, v) => {
      place[v].fill(-1);
      if (!voice.scores(profile, scores[v])) return void scores[v].fill(0);
      fuse("blend", scores[v], profile, ties);
      const open = scores[v].slice();
      for (const item of profile.items) open[item] = -Infinity;
      const found = topK(open, ties, best[v]);
      for (let rank = 0; rank < found; rank++) {
        const item = best[v][rank];
        if (votes[item]++ === 0) chosen.push(item);
        place[v][item] = rank;
      }
    });
    const plain = (item: number, into: Float32Array, at = 0): number => {
      for (const said of scores) into[at++] = said[item];
      into[at++] = logPopularity[item];
      if (trend) into[at++] = trend[item];
      return at;
    };
    const items = Int32Array.from(chosen).sort();
    const features = new Float32Array(items.length * width);
    items.forEach((item, c) => {
      let f = plain(item, features, c * width);
      for (const at of place) features[f++] = at[item] < 0 ? 0 : 1 / (10 + at[item]);
      features[f++] = votes[item];
      features[f++] = logPopularity[item] - usual;
      features[f++] = usual;
      features[f++] = activity;
      if (trend) features[f] = usualTrend!;
    });
    for (const item of items) votes[item] = 0;
    return { items, features, plain: (item, into) => void plain(item, into) };
  };
}

function meanOf(values: Float64Array, { items }: Profile): number {
  let mean = 0;
  for (const item of items) mean += values[item] / items.length;
  return mean;
}
