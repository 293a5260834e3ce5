import type { ShopTables } from "./catalogue.js";
import { pick, slotted, withDraws } from "./draws.js";
import type { ShopFolder } from "./shop-folder.js";
import { aspects, chinese, english, intents, type Phrases } from "./words.js";

/** SQL of one of the phrases of two languages: `case` chooses the list, by number; all lists of a language are equally long. */
function phrase(
  lists: (phrases: Phrases) => readonly (readonly string[])[],
  choice: string,
  uniform: string,
): string {
  const one = (phrases: Phrases): string =>
    `CASE ${choice} ${lists(phrases)
      .map((list, i) => `WHEN ${i} THEN ${pick(list, uniform)}`)
      .join(" ")} END`;
  return `CASE WHEN language = 'zh' THEN ${one(chinese)} ELSE ${one(english)} END`;
}

/** Writes what customers say of a block's orders: `reviews.ndjson`, `tickets.csv`, `returns.csv`, and the truth of reviews. */
export async function writeService(
  folder: ShopFolder,
  tables: ShopTables,
  seed: number,
  lines: string,
): Promise<void> {
  await writeReviews(folder, tables, seed, lines);
  await writeTickets(folder, tables, seed, lines);
  const drawn = withDraws(`SELECT * FROM ${lines} WHERE status = 'returned'`, seed, "return", {
    u_days: "visit * 64 + look",
    u_reason: "visit * 64 + look",
  });
  folder.append(
    "returns.csv",
    folder.rows["returns.csv"] === undefined ? "order_id,line,returned_on,reason\n" : "",
    0,
  );
  await folder.lines(
    "returns.csv",
    `SELECT concat_ws(',', order_id, line, ordered_at::DATE + 4 + floor(u_days * 17)::INTEGER,
       ${pick(["does not fit", "not as described", "damaged", "changed my mind", "better price elsewhere"], "u_reason")}) AS record
     FROM (${drawn}) ORDER BY order_number, line`,
  );
}

async function writeReviews(
  folder: ShopFolder,
  tables: ShopTables,
  seed: number,
  lines: string,
): Promise<void> {
  const key = "visit * 64 + look";
  const names = [
    "u_written",
    "u_1",
    "u_2",
    "u_3",
    "u_days",
    "u_opening",
    "u_aspect",
    "u_sentence",
    "u_closing",
    "u_closes",
    "u_helpful",
  ];
  const known = `SELECT l.order_number, l.order_id, l.line, l.visit, l.look, l.ordered_at, l.product_id, l.quality, k.customer_id, k.language,
      CASE WHEN k.language = 'zh' THEN g.title_zh ELSE lower(split_part(split_part(g.title, ',', 1), ' "', 1)) END AS named
    FROM ${lines} l JOIN ${tables.customer} k USING (c) JOIN ${tables.product} g USING (p) WHERE status <> 'cancelled'`;
  const drawn = withDraws(known, seed, "review", Object.fromEntries(names.map((name) => [name, key])));
  const rated = `SELECT *, greatest(1, least(5, round(quality + 2.6 * (u_1 + u_2 + u_3 - 1.5))))::INTEGER AS rating, floor(u_aspect * ${aspects.length})::INTEGER AS aspect
    FROM (${drawn}) WHERE u_written < 0.12`;
  const felt = `SELECT *, CASE WHEN rating <= 2 THEN 0 WHEN rating = 3 THEN 1 ELSE 2 END AS sentiment FROM (${rated})`;
  const space = `CASE WHEN language = 'zh' THEN '${chinese.space}' ELSE '${english.space}' END`;
  const text = `replace(${phrase((p) => p.openings, "sentiment", "u_opening")}, '{}', named) || ${space}
    || ${phrase((p) => aspects.flatMap((aspect) => p.aspects[aspect]), "3 * aspect + sentiment", "u_sentence")}
    || CASE WHEN u_closes < 0.6 THEN ${space} || ${phrase((p) => p.closings, "sentiment", "u_closing")} ELSE '' END`;
  const table = folder.engine.fresh("reviews");
  await folder.engine.run(
    `CREATE TABLE ${table} AS SELECT *, 'R' || order_id[2:] || '-' || line AS review_id, ${text} AS text FROM (${felt})`,
  );
  await folder.lines(
    "reviews.ndjson",
    `SELECT to_json({'review_id': review_id, 'order_id': order_id, 'customer_id': customer_id, 'product_id': product_id,
       'created_at': strftime(ordered_at + INTERVAL 1 DAY * (5 + floor(u_days * 20)::INTEGER), '%Y-%m-%dT%H:%M:%SZ'), 'rating': rating,
       'language': language, 'text': text, 'helpful': floor(12 * u_helpful * u_helpful)::INTEGER})::VARCHAR AS record
     FROM ${table} ORDER BY order_number, line`,
  );
  folder.append(
    "truth/reviews.csv",
    folder.rows["truth/reviews.csv"] === undefined ? "review_id,sentiment,aspect\n" : "",
    0,
  );
  await folder.lines(
    "truth/reviews.csv",
    `SELECT concat_ws(',', review_id, (['negative', 'neutral', 'positive'])[1 + sentiment], (['${aspects.join("', '")}'])[1 + aspect]) AS record
     FROM ${table} ORDER BY order_number, line`,
  );
  await folder.engine.run(`DROP TABLE ${table}`);
}

/** Shares of intents, in the order of `intents`, for orders that were completed, returned and cancelled. */
const intentShares = {
  completed: [40, 0, 0, 16, 12, 4, 14, 14],
  returned: [4, 46, 30, 10, 10, 0, 0, 0],
  cancelled: [0, 0, 40, 0, 0, 60, 0, 0],
};

async function writeTickets(
  folder: ShopFolder,
  tables: ShopTables,
  seed: number,
  lines: string,
): Promise<void> {
  const drawn = withDraws(
    `SELECT l.*, k.customer_id, k.language FROM ${lines} l JOIN ${tables.customer} k USING (c) WHERE line = 1`,
    seed,
    "ticket",
    { u_written: "visit", u_intent: "visit", u_text: "visit", u_hours: "visit", u_channel: "visit" },
  );
  const cases = Object.entries(intentShares).map(
    ([status, shares]) =>
      `WHEN '${status}' THEN ([${slotted(shares, 50).join(", ")}])[1 + floor(u_intent * 50)::INTEGER]`,
  );
  const meant = `SELECT *, CASE status ${cases.join(" ")} END AS intent FROM (${drawn}) WHERE u_written < CASE status WHEN 'completed' THEN 0.05 ELSE 0.35 END`;
  folder.append(
    "tickets.csv",
    folder.rows["tickets.csv"] === undefined
      ? "ticket_id,order_id,customer_id,created_at,channel,language,intent,text\n"
      : "",
    0,
  );
  await folder.lines(
    "tickets.csv",
    `SELECT concat_ws(',', 'T' || order_id[2:], order_id, customer_id, strftime(ordered_at + INTERVAL 1 HOUR * (3 + floor(u_hours * 240)::INTEGER), '%Y-%m-%d %H:%M:%S'),
       ${pick(["mail", "chat", "form"], "u_channel")}, language, (['${intents.join("', '")}'])[1 + intent],
       '"' || replace(${phrase((p) => intents.map((intent) => p.tickets[intent]), "intent", "u_text")}, '{}', order_id) || '"') AS record
     FROM (${meant}) ORDER BY order_number`,
  );
}
