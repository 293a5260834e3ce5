import { ShopaiError } from "../core/errors.js";
import { integers } from "../engine/frame.js";
import type { Run } from "../engine/run.js";
import { ident } from "../engine/sql.js";
import { rowStarts } from "../kernels/csr.js";
import { columnNamed, isNumeric, kindOf } from "../table/relation.js";
import { readInteractions, type Interactions } from "./interactions.js";
import type { TrainingData } from "./learner.js";
import type { FolderReader, FolderWriter } from "./model-folder.js";
import type { Profile } from "./scorer.js";

/** What every user had, oldest first, an item as often as it was had: those of user u lie at starts[u]..starts[u+1]. */
export interface Sequences {
  starts: Int32Array;
  items: Int32Array;
}

/**
 * Reads interactions with their order: by the time column, rows of one moment (and all, where no time is
 * named) in the order of the table.
 *
 * @throws ShopaiError "data" when times are of a type without an order in time, or missing
 */
export async function readSequences(
  data: TrainingData,
  run: Run,
): Promise<{ interactions: Interactions; sequences: Sequences }> {
  const { relation, roles } = data;
  const { engine } = relation;
  const interactions = await readInteractions(data, run);
  const order = relation.key.map(ident);
  if (roles.time !== undefined) {
    await checkTimes(data, roles.time);
    order.unshift(ident(roles.time));
  } else run.warn("no --time is named: the order of the rows counts as the order in time");
  const codeTable = async (name: string, levels: string[]): Promise<string> => {
    const table = engine.fresh(name);
    await engine.load(table, {
      rows: levels.length,
      columns: new Map([
        ["code", { kind: "i32", values: Int32Array.from(levels, (_, code) => code) }],
        ["level", { kind: "text", values: levels }],
      ]),
    });
    return table;
  };
  const users = await codeTable("sequence_users", interactions.users);
  const items = await codeTable("sequence_items", interactions.items);
  const frame = await engine.frame(
    `SELECT u.code AS row, i.code AS col FROM (${relation.sql}) r JOIN ${ident(users)} u ON r.${ident(roles.user!)}::VARCHAR = u.level
       JOIN ${ident(items)} i ON r.${ident(roles.item!)}::VARCHAR = i.level ORDER BY u.code${order.map((column) => `, r.${column}`).join("")}`,
    [
      { name: "row", as: "i32" },
      { name: "col", as: "i32" },
    ],
  );
  for (const table of [users, items]) await engine.run(`DROP TABLE ${ident(table)}`);
  return {
    interactions,
    sequences: {
      starts: rowStarts(integers(frame, "row"), interactions.users.length),
      items: integers(frame, "col"),
    },
  };
}

async function checkTimes({ relation, roles }: TrainingData, time: string): Promise<void> {
  const { type } = columnNamed(relation, time, "--time");
  if (!["date", "timestamp", "time"].includes(kindOf(type)) && !isNumeric(type))
    throw new ShopaiError("data", `the times in ${time} are ${type}, not dates, timestamps or seconds`, {
      where: relation.name,
      try: "clean, which makes timestamps of texts",
    });
  const [{ missing }] = await relation.engine.rows<{ missing: bigint }>(
    `SELECT count(*) FILTER (${ident(time)} IS NULL) AS missing FROM (${relation.sql}) WHERE ${ident(roles.user!)} IS NOT NULL AND ${ident(roles.item!)} IS NOT NULL`,
  );
  if (missing > 0n)
    throw new ShopaiError("data", `${missing} times in ${time} are missing, and their order decides`, {
      where: relation.name,
      try: `--where '${ident(time)} IS NOT NULL'`,
    });
}

/** What models keep of a user: answers depend on the last few alone. */
const keptEvents = 100;

/** The last events of every user. */
export function lastEvents({ starts, items }: Sequences): Sequences {
  const users = starts.length - 1;
  const kept = new Int32Array(users + 1);
  for (let u = 0; u < users; u++) kept[u + 1] = kept[u] + Math.min(keptEvents, starts[u + 1] - starts[u]);
  const last = new Int32Array(kept[users]);
  for (let u = 0; u < users; u++)
    last.set(items.subarray(starts[u + 1] - (kept[u + 1] - kept[u]), starts[u + 1]), kept[u]);
  return { starts: kept, items: last };
}

export function saveSequences(folder: FolderWriter, { starts, items }: Sequences): void {
  folder.array("sequence-starts", starts);
  folder.array("sequence-items", items);
}

export function loadSequences(folder: FolderReader, users: number): Sequences {
  return {
    starts: folder.array("sequence-starts", "i32", [users + 1]),
    items: folder.array("sequence-items", "i32"),
  };
}

/** What a profile had, oldest first: the events of training in their order, then what is newer. */
export function eventsOf({ starts, items }: Sequences, { user, items: had, fresh }: Profile): Int32Array {
  if (user < 0) return had;
  const before = items.subarray(starts[user], starts[user + 1]);
  if (fresh === had.length) return before;
  const all = new Int32Array(before.length + had.length - fresh);
  all.set(before);
  all.set(had.subarray(fresh), before.length);
  return all;
}
