import { listed, ShopaiError } from "../../core/errors.js";
import type { Run } from "../../engine/run.js";
import { columnNamed, type Relation } from "../../table/relation.js";
import {
  rolesOf,
  type Fitted,
  type Learner,
  type Model,
  type ModelCard,
  type RoleName,
  type Roles,
} from "../learner.js";
import { isModelFolder, type FolderReader, type FolderWriter } from "../model-folder.js";
import { loadModel, modelOf } from "../model.js";
import type { ParamValue } from "../params.js";
import type { Catalogue } from "../recommendations.js";
import { learnerNamed, learnerNames } from "../registry.js";
import { taskOf, trainModel, type TrainingAsk } from "../training.js";

/** One model inside another: a learner to fit, or a model that was trained before. */
export interface Part {
  /** Unique among the parts. */
  name: string;
  /** Fits it on rows in the columns of training. A model that was trained before is fitted anew, as its card says. */
  fit(rows: Relation, run: Run): Promise<Model>;
  /** The model that was trained before. */
  trained?: Model;
}

/**
 * The parts that `--parts` names: learners (`ease`), learners under a name of their own
 * (`near=item-knn`), model folders (`models/als`). Parameters are those of `ask.params` with the part's
 * name before a dot: `near.k=20`.
 *
 * @throws ShopaiError "usage" for parts that are no recommenders, names that occur twice and parameters of no part,
 *   "model" for a model whose users or items are others than those of the rows
 */
export async function partsOf(
  owner: Learner,
  relation: Relation,
  roles: Roles,
  ask: TrainingAsk,
): Promise<Part[]> {
  const specs = ask.parts && ask.parts.length > 0 ? ask.parts : await usualParts(owner, relation, roles, ask);
  const parts: Part[] = [];
  for (const spec of specs) {
    const part = await partOf(owner, spec, relation, roles, ask);
    if (parts.some(({ name }) => name === part.name))
      throw new ShopaiError("usage", `two parts of ${owner.name} are called ${part.name}`, {
        where: `--parts ${specs.join(",")}`,
        try: `a name of its own: other=${spec.replace(/^.*=/, "")}`,
      });
    parts.push(part);
  }
  for (const key of Object.keys(ask.params ?? {})) {
    const [name] = key.split(".");
    if (key.includes(".") && !parts.some((part) => part.name === name && !part.trained))
      throw new ShopaiError(
        "usage",
        `${owner.name} fits no part "${name}" (its parts are ${listed(parts.map((part) => part.name))})`,
        { where: `--param ${key}` },
      );
  }
  return parts;
}

async function partOf(
  owner: Learner,
  spec: string,
  relation: Relation,
  roles: Roles,
  ask: TrainingAsk,
): Promise<Part> {
  const cut = spec.indexOf("=");
  const what = spec.slice(cut + 1);
  if (!learnerNames.includes(what) && (/[/\\.]/.test(what) || isModelFolder(what)))
    return folderPart(
      cut < 0 ? what.replace(/[/\\]+$/, "").replace(/^.*[/\\]/, "") : spec.slice(0, cut),
      what,
      relation,
      roles,
      ask,
    );
  const name = cut < 0 ? what : spec.slice(0, cut);
  const learner = await partLearner(owner, what, relation, roles, ask);
  if (!/^[\w-]+$/.test(name))
    throw new ShopaiError("usage", `a part's name holds letters, digits, - and _, not "${name}"`, {
      where: `--parts ${spec}`,
    });
  const own = Object.fromEntries(
    (Object.keys(rolesOf(learner)) as RoleName[]).map((role) => [role, roles[role]]),
  ) as Roles;
  const params = paramsOfPart(name, ask.params ?? {});
  const items = learner.items ? ask.items : undefined;
  const { features, positive } = ask;
  const task = owner.tasks && (await taskOf(owner, relation, roles, ask));
  const asked: TrainingAsk = { roles: own, params, items, task, features, positive };
  return { name, fit: (rows, run) => trainModel(learner, rows, asked, run) };
}

/** Those that the owner names for itself, as far as they are for the task. */
async function usualParts(
  owner: Learner,
  relation: Relation,
  roles: Roles,
  ask: TrainingAsk,
): Promise<string[]> {
  const task = await taskOf(owner, relation, roles, ask);
  const { time = [], items = [] } = owner.moreParts ?? {};
  const names = [...owner.parts!, ...(roles.time === undefined ? [] : time), ...(ask.items ? items : [])];
  const learners = await Promise.all(names.map(learnerNamed));
  return learners
    .filter((learner) => (learner.tasks ?? [learner.task]).includes(task))
    .map(({ name }) => name);
}

async function partLearner(
  owner: Learner,
  name: string,
  relation: Relation,
  roles: Roles,
  ask: TrainingAsk,
): Promise<Learner> {
  const learner = await learnerNamed(name);
  const task = await taskOf(owner, relation, roles, ask);
  const what = task === "recommendation" ? "recommenders" : `learners for ${task}`;
  if (!(learner.tasks ?? [learner.task]).includes(task) || learner.name === owner.name)
    throw new ShopaiError(
      "usage",
      `the parts of ${owner.name} are ${what}, and ${name} is ${learner.name === owner.name ? owner.name : `for ${learner.task}`}`,
      { try: "shopai learners" },
    );
  return learner;
}

function paramsOfPart(
  name: string,
  params: Readonly<Record<string, ParamValue>>,
): Record<string, ParamValue> {
  return Object.fromEntries(
    Object.entries(params)
      .filter(([key]) => key.startsWith(`${name}.`))
      .map(([key, value]) => [key.slice(name.length + 1), value]),
  );
}

async function folderPart(
  name: string,
  path: string,
  relation: Relation,
  roles: Roles,
  ask: TrainingAsk,
): Promise<Part> {
  const trained = await loadModel(path);
  const { card, catalogue } = trained;
  if (!catalogue || !trained.scorer)
    throw new ShopaiError("model", `a part must be a recommender, and this is a model for ${card.task}`, {
      where: path,
    });
  for (const role of ["user", "item"] as const) {
    const here = columnNamed(relation, roles[role]!);
    const there = catalogue[role];
    if (here.name !== there.name || here.type !== there.type)
      throw new ShopaiError(
        "model",
        `the ${role}s of the part are ${there.name} (${there.type}), and those of the rows ${here.name} (${here.type})`,
        { where: path, try: "parts trained on the same columns" },
      );
  }
  const learner = await learnerNamed(card.learner);
  const refit: TrainingAsk = { roles: card.roles, params: card.params, parts: card.parts, items: ask.items };
  return { name, trained, fit: (rows, run) => trainModel(learner, rows, refit, run) };
}

/** A part as it stands in the model that holds it. */
export interface Member {
  name: string;
  model: Model;
}

/** Writes the members into the folder of the model that holds them; what the whole has already is not written twice. */
export function saveMembers(folder: FolderWriter, members: readonly Member[], whole?: Catalogue): void {
  folder.json(
    "parts",
    members.map(({ name, model }) => ({ name, card: { ...model.card, inputs: [], files: {} } })),
  );
  const shared: Record<string, unknown> = whole
    ? {
        users: whole.users,
        items: whole.items,
        "seen-starts": whole.seen.starts,
        "seen-columns": whole.seen.columns,
        "seen-values": whole.seen.values,
        popularity: whole.popularity,
      }
    : {};
  const isShared = (name: string, values: unknown): boolean =>
    name in shared && sameValues(shared[name], values);
  for (const { name, model } of members)
    model.store({
      array: (file, values, shape) => {
        if (!isShared(file, values)) folder.array(`${name}.${file}`, values, shape);
      },
      texts: (file, values) => {
        if (!isShared(file, values)) folder.texts(`${name}.${file}`, values);
      },
      json: (file, value) => folder.json(`${name}.${file}`, value),
    });
}

function sameValues(a: unknown, b: unknown): boolean {
  const left = a as ArrayLike<unknown> | undefined;
  const right = b as ArrayLike<unknown>;
  if (left === right) return true;
  if (!left || left.length !== right.length || left.constructor !== right.constructor) return false;
  for (let i = 0; i < left.length; i++) if (left[i] !== right[i]) return false;
  return true;
}

export async function loadMembers(folder: FolderReader): Promise<Member[]> {
  const members: Member[] = [];
  for (const { name, card } of folder.json<{ name: string; card: ModelCard }[]>("parts")) {
    const learner = await learnerNamed(card.learner);
    const own = Object.keys(folder.card.files).filter((file) => file.startsWith(`${name}.`));
    const hasValues =
      own.includes(`${name}.seen-values.bin`) ||
      (!own.includes(`${name}.seen-columns.bin`) && "seen-values.bin" in folder.card.files);
    const files = Object.fromEntries(own.map((file) => [file.slice(name.length + 1), ""]));
    const from = (file: string): string => (own.includes(`${name}.${file}.bin`) ? `${name}.${file}` : file);
    const reader: FolderReader = {
      card: { ...card, files: { ...files, ...(hasValues ? { "seen-values.bin": "" } : {}) } },
      array: (file, kind, shape) => folder.array(from(file), kind, shape),
      texts: (file) => folder.texts(from(file)),
      json: (file) => folder.json(`${name}.${file}`),
    };
    members.push({ name, model: modelOf(card, await learner.load(reader)) });
  }
  return members;
}

/** What a model with members does before it answers: members that work their answers out ahead do so first. */
export function preparing(
  whole: Pick<Fitted, "predict" | "similar">,
  members: readonly Member[],
): Pick<Fitted, "prepare" | "predict" | "similar"> {
  const prepare = async (run: Run): Promise<void> => {
    for (const { model } of members) await model.prepare?.(run);
  };
  return {
    prepare,
    predict: async (rows, ask, run) => {
      await prepare(run);
      return whole.predict(rows, ask, run);
    },
    similar: async (rows, ask, run) => {
      await prepare(run);
      return whole.similar!(rows, ask, run);
    },
  };
}
