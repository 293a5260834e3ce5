import { ShopaiError } from "../core/errors.js";
import { exactSum, ident, numeric } from "../engine/sql.js";
import { columnNamed, isNumeric, kindOf, type Relation } from "../table/relation.js";
import { perItem, ratingScale, readInteractions } from "./interactions.js";
import { defineLearner, int, type Fitted, type TrainingData } from "./learner.js";
import { catalogueOf, loadCatalogue, recommender, type Catalogue } from "./recommendations.js";
import { popularityIn, readSegments } from "./segments.js";

/** The best sellers: every user gets the most popular items that are new to them. */
export default defineLearner({
  name: "popularity",
  task: "recommendation",
  summary: "best sellers: the items with most interactions, or most units with --rating",
  source:
    "Cremonesi, Koren & Turrin (2010), Performance of Recommender Algorithms on Top-N Recommendation Tasks, RecSys, section 3.1 (TopPop)",
  roles: { user: "required", item: "required", rating: "optional", time: "optional", segment: "optional" },
  features: false,
  params: {
    days: int({
      default: 0,
      min: 0,
      max: 36500,
      help: "count only the last n days before the latest time (needs --time); 0 counts all",
      search: [0, 365],
    }),
  },
  async fit(data, { days }, run) {
    const interactions = await readInteractions(data, run);
    const { segment, user } = data.roles;
    const counted = await perItem(data.relation, interactions.items, await countSql(data, days));
    const segments =
      segment === undefined
        ? undefined
        : await readSegments(
            data.relation,
            segment,
            user!,
            await countSql(data, days, segment),
            interactions.users,
            interactions.items,
          );
    return fitted(catalogueOf(data, { ...interactions, segments }, counted));
  },
  load: (folder) => fitted(loadCatalogue(folder)),
});

const fitted = (catalogue: Catalogue): Fitted =>
  recommender(catalogue, (user, into) =>
    into.set(popularityIn(catalogue, catalogue.segments?.ofUser[user] ?? -1)),
  );

/** A SELECT of `item` and `value` (and `segment`): rows counted, or ratings added up exactly, within the window. */
async function countSql({ relation, roles }: TrainingData, days: number, segment?: string): Promise<string> {
  const value =
    roles.rating === undefined
      ? "count(*)"
      : exactSum(`${ident(roles.rating)}::DOUBLE`, numeric(await ratingScale(relation, roles.rating)));
  const item = ident(roles.item!);
  const within = segment === undefined ? "" : `${ident(segment)}::VARCHAR AS segment, `;
  const keys = segment === undefined ? item : `${ident(segment)}, ${item}`;
  const known = segment === undefined ? "" : `AND ${ident(segment)} IS NOT NULL `;
  return `SELECT ${within}${item}::VARCHAR AS item, ${value}::DOUBLE AS value FROM (${relation.sql}) WHERE ${ident(roles.user!)} IS NOT NULL AND ${item} IS NOT NULL ${known}AND (${windowOf(relation, roles.time, days)}) GROUP BY ${keys} ORDER BY ${keys}`;
}

function windowOf(relation: Relation, time: string | undefined, days: number): string {
  if (days === 0) return "true";
  if (time === undefined)
    throw new ShopaiError("usage", "popularity counts the last days by a time column, and none is named", {
      where: `--param days=${days}`,
      try: "--time <column>",
    });
  const { type } = columnNamed(relation, time, "--time");
  const latest = `(SELECT max(${ident(time)}) FROM (${relation.sql}))`;
  if (kindOf(type) === "date" || kindOf(type) === "timestamp")
    return `${ident(time)} > ${latest} - INTERVAL ${days} DAY`;
  if (isNumeric(type)) return `${ident(time)} > ${latest} - ${days * 86400}`;
  throw new ShopaiError("data", `the times in ${time} are ${type}, not dates, timestamps or seconds`, {
    where: relation.name,
    try: "clean, which makes timestamps of texts",
  });
}
