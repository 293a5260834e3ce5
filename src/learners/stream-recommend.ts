import { ShopaiError } from "../core/errors.js";
import type { Field } from "../engine/engine.js";
import { isNumeric, kindOf } from "../table/relation.js";
import type { Ask } from "./learner.js";
import { listMaker, reasonGiver, type List, type Person } from "./lists.js";
import type { Catalogue } from "./recommendations.js";
import type { Reranker } from "./rerank.js";
import type { Scorer } from "./scorer.js";
import { alikeMaker } from "./similar-items.js";

type Request = Readonly<Record<string, unknown>>;

/**
 * Answers requests for recommendations, one at a time and in memory:
 *
 * - `{"<user>": id}`: as `predict` answers a user
 * - `{"<user>": id, "<item>": [ids, oldest first]}`: with items since training (and `"<rating>": [numbers]`
 *   beside them); without a user, a visitor of whom nothing else is known
 * - with `similar`, `{"<item>": id}`: the items most alike
 *
 * each with `"k"` where it differs from `ask.k`. The answer holds what was asked, `source`, and
 * `recommendations` (or `similar`): item, `score`, `rank` and, explained, `reason`.
 *
 * @throws ShopaiError "data" for a request that cannot be understood
 */
export function recommendAnswerer(
  catalogue: Catalogue,
  scorer: Scorer,
  ask: Ask,
  similar: boolean,
  reranker?: Reranker,
): (request: Request) => Record<string, unknown> {
  const codeOfItem = codesOf(catalogue.items, catalogue.item);
  const itemId = idIn(catalogue.item);
  const { user, item } = catalogue;
  if (similar) {
    const nearest = alikeMaker(catalogue, scorer);
    return (request) => {
      const code = codeOfItem(one(request, item.name));
      const found = code < 0 ? undefined : nearest(code, kOf(request, ask));
      return {
        [item.name]: request[item.name],
        similar: Array.from(found?.items ?? [], (other, i) => ({
          [item.name]: itemId(catalogue.items[other]),
          score: found!.scores[i],
          rank: i + 1,
        })).filter(({ score }) => score > 0),
      };
    };
  }
  const codeOfUser = codesOf(catalogue.users, user);
  const makers = new Map<number, (person: Person) => List>();
  const why = ask.explain ? reasonGiver(catalogue, scorer) : undefined;
  return (request) => {
    const k = kOf(request, ask);
    let maker = makers.get(k);
    if (!maker) makers.set(k, (maker = listMaker(catalogue, scorer, { ...ask, k }, reranker)));
    const items = request[item.name];
    if (request[user.name] == null && items == null)
      throw new ShopaiError("data", `a request needs ${user.name} or ${item.name}`, {
        try: `{"${user.name}": …}`,
      });
    const person: Person = { user: request[user.name] == null ? -1 : codeOfUser(one(request, user.name)) };
    const { segments } = catalogue;
    if (segments) {
      const said = segments.levels.indexOf(String(request[segments.name] ?? ""));
      person.segment = said >= 0 || person.user < 0 ? said : segments.ofUser[person.user];
    }
    if (items != null) {
      const codes = (Array.isArray(items) ? items : [items]).map((id: unknown) =>
        codeOfItem(idText(id, item.name)),
      );
      // The last time counts where an item comes twice.
      const places = [...codes.keys()].filter((i) => codes[i] >= 0 && codes.lastIndexOf(codes[i]) === i);
      const values = catalogue.rating && strengths(request, catalogue.rating.name, codes.length);
      person.newer = {
        items: Int32Array.from(places, (i) => codes[i]),
        values: values && Float32Array.from(places, (i) => values[i]),
      };
    }
    const list = maker(person);
    return {
      ...(request[user.name] == null ? {} : { [user.name]: request[user.name] }),
      source: list.source,
      recommendations: Array.from(list.items, (code, i) => ({
        [item.name]: itemId(catalogue.items[code]),
        score: list.scores[i],
        rank: i + 1,
        ...(why && { reason: why(list, code) }),
      })),
    };
  };
}

/** The ratings of a request's items, where it gives them. */
function strengths(request: Request, name: string, count: number): number[] | undefined {
  if (request[name] == null) return undefined;
  const values: unknown[] = Array.isArray(request[name]) ? request[name] : [request[name]];
  if (values.length !== count || !values.every((v) => typeof v === "number" && v >= 0 && v < Infinity))
    throw new ShopaiError("data", `${name} must hold a number of 0 or more for each of ${count} items`);
  return values as number[];
}

function kOf(request: Request, ask: Ask): number {
  const k = request.k ?? ask.k ?? 10;
  if (typeof k !== "number" || !Number.isInteger(k) || k < 1)
    throw new ShopaiError("data", `k must be an integer >= 1, got ${JSON.stringify(k)}`);
  return k;
}

function one(request: Request, name: string): string {
  if (request[name] == null)
    throw new ShopaiError("data", `a request needs ${name}`, { try: `{"${name}": …}` });
  return idText(request[name], name);
}

function idText(id: unknown, name: string): string {
  if (typeof id === "string" || typeof id === "number" || typeof id === "boolean") return String(id);
  throw new ShopaiError("data", `${name} must be an id, got ${JSON.stringify(id)}`);
}

/** Finds the code of an id as JSON has it, -1 for those that training did not see. */
function codesOf(levels: readonly string[], { name, type }: Field): (id: string) => number {
  const codes = new Map(levels.map((level, code) => [level, code]));
  const kind = kindOf(type);
  return (id) => {
    if (kind === "integer" && !/^-?\d+$/.test(id))
      throw new ShopaiError("data", `the ${name} ${JSON.stringify(id)} is no ${type}, as in training`, {
        try: "the same types as in training",
      });
    // The engine writes whole floats as 7.0.
    const text = kind === "float" && /^-?\d+$/.test(id) ? `${id}.0` : id;
    return codes.get(text) ?? -1;
  };
}

/** An id as JSON: a number where it was one and is held exactly. */
function idIn({ type }: Field): (level: string) => string | number {
  return (level) => (isNumeric(type) && Number.isSafeInteger(Number(level)) ? Number(level) : level);
}
