import {
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { listed, nearest, ShopaiError } from "../core/errors.js";
import { sha256 } from "../core/hash.js";
import { readModelFolder } from "../learners/model-folder.js";
import { writeAtomically } from "../table/atomic.js";
import type { InputRecord } from "../table/provenance.js";
import { appendAudit, readAudit, type AuditEntry } from "./audit.js";
import { holdLock } from "./exclusive.js";
import { stateFolder } from "./state.js";

export const defaultRegistry = `${stateFolder}/models`;

/** `champion` answers today, `challenger` was judged last and did not take its place (yet). */
export type Alias = "champion" | "challenger";

/** What a version came from and how it measured. */
export interface ModelVersion {
  version: number;
  registered: string;
  /** sha256 of model.json, which holds the hashes of all other files. */
  model: string;
  learner: string;
  task: string;
  seed: number;
  rows: number;
  /** The files that it was trained on. */
  inputs: InputRecord[];
  /** The pipeline that trained it, and a hash of what its stages had read, been told and written by then. */
  pipeline?: string;
  lock?: string;
  /** When it was last judged: metrics on the rows it was judged on. */
  metrics?: Record<string, number | null>;
}

/** Versions of one model by number, in `<root>/<name>/`; the aliases are links to model folders. */
export interface Registry {
  readonly name: string;
  versions(): ModelVersion[];
  version(number: number): ModelVersion;
  /** The number that an alias stands for. */
  alias(alias: Alias): number | undefined;
  /** The model folder of a version. */
  folder(number: number): string;
  history(): AuditEntry[];
  /** Alone with the registry: nobody else changes it until `work` ends. */
  alone<T>(work: (writer: RegistryWriter) => Promise<T>, about: LockAbout): Promise<T>;
}

export interface RegistryWriter {
  /** Copies a model in; the same model again is the same version. */
  register(model: string, about: Pick<ModelVersion, "pipeline" | "lock">): Promise<number>;
  keepMetrics(number: number, metrics: Record<string, number | null>): Promise<void>;
  setAlias(alias: Alias, number: number | undefined): void;
  audit(entry: Omit<AuditEntry, "time" | "by" | "previous">): void;
}

export interface LockAbout {
  /** Seconds to wait for another writer. */
  timeout: number;
  signal: AbortSignal;
  warn(message: string): void;
}

const plainName = /^[\p{L}\p{N}_][\p{L}\p{N}_.-]*$/u;

export function openRegistry(root: string, name: string): Registry {
  if (!plainName.test(name))
    throw new ShopaiError("usage", `a model's name may hold letters, digits, _, . and - only, got ${name}`, {
      try: "--name conversion",
    });
  const home = join(root, name);
  const auditFile = join(home, "audit.ndjson");
  const folderOf = (number: number): string => join(home, "versions", String(number), "model");
  const aboutFile = (number: number): string => join(home, "versions", String(number), "version.json");

  const numbers = (): number[] =>
    namesIn(join(home, "versions"))
      .map(Number)
      .filter((number) => Number.isInteger(number) && existsSync(aboutFile(number)))
      .sort((a, b) => a - b);
  const version = (number: number): ModelVersion => {
    if (!existsSync(aboutFile(number)))
      throw new ShopaiError("model", `${name} has no version ${number}`, {
        where: home,
        try: listed(numbers().map(String)) || "shopai models promote",
      });
    return JSON.parse(readFileSync(aboutFile(number), "utf8")) as ModelVersion;
  };
  const write = (about: ModelVersion): Promise<void> =>
    writeAtomically(aboutFile(about.version), async (temporary) =>
      writeFileSync(temporary, `${JSON.stringify(about, undefined, 2)}\n`),
    );

  const writer: RegistryWriter = {
    async register(model, about) {
      const { card } = readModelFolder(model);
      const digest = sha256(readFileSync(join(model, "model.json")));
      const known = numbers()
        .map(version)
        .find((one) => one.model === digest);
      if (known) return known.version;
      const number = Math.max(0, ...namesIn(join(home, "versions")).map(Number).filter(Number.isInteger)) + 1;
      await writeAtomically(folderOf(number), async (temporary) =>
        cpSync(model, temporary, { recursive: true, dereference: true }),
      );
      await write({
        version: number,
        registered: new Date().toISOString(),
        model: digest,
        learner: card.learner,
        task: card.task,
        seed: card.seed,
        rows: card.rows,
        inputs: card.inputs,
        ...about,
      });
      return number;
    },
    keepMetrics: async (number, metrics) => write({ ...version(number), metrics }),
    setAlias(alias, number) {
      const place = join(home, alias);
      if (number === undefined) return rmSync(place, { force: true });
      const temporary = `${place}.${process.pid}.tmp`;
      rmSync(temporary, { force: true });
      // A junction where links need rights (Windows); its target must be absolute, elsewhere it stays relative.
      if (process.platform === "win32") {
        rmSync(place, { force: true });
        return symlinkSync(join(process.cwd(), folderOf(number)), place, "junction");
      }
      symlinkSync(join("versions", String(number), "model"), temporary);
      renameSync(temporary, place);
    },
    audit: (entry) => appendAudit(auditFile, entry),
  };

  return {
    name,
    versions: () => numbers().map(version),
    version,
    alias(alias) {
      const place = join(home, alias);
      if (!lstatSync(place, { throwIfNoEntry: false })) return undefined;
      return Number(/versions[\\/](\d+)[\\/]model/.exec(readlinkSync(place))?.[1]);
    },
    folder: folderOf,
    history: () => readAudit(auditFile),
    async alone(work, { timeout, signal, warn }) {
      mkdirSync(home, { recursive: true });
      const release = await holdLock(join(home, ".lock"), `a change of ${name}`, timeout, signal, warn);
      try {
        return await work(writer);
      } finally {
        release();
      }
    },
  };
}

/** Names of the models in a registry. */
export const modelNames = (root: string): string[] =>
  namesIn(root)
    .filter((name) => existsSync(join(root, name, "versions")))
    .sort();

/** @throws ShopaiError "model" when the registry does not hold the model */
export function existingRegistry(root: string, name: string): Registry {
  const known = modelNames(root);
  if (!known.includes(name))
    throw new ShopaiError("model", `the registry has no model "${name}"`, {
      where: root,
      try: nearest(name, known) ?? (listed(known) || "shopai models promote <model> <table> --name …"),
    });
  return openRegistry(root, name);
}

/**
 * Makes the champion before the present one champion again, or a version that is named.
 * @throws ShopaiError "model" when there is none
 */
export async function rollback(
  registry: Registry,
  to: number | undefined,
  about: LockAbout,
): Promise<{ from: number | null; to: number }> {
  return registry.alone(async (writer) => {
    const now = registry.alias("champion");
    const target = to ?? championBefore(registry.history(), now);
    if (target === undefined)
      throw new ShopaiError("model", `${registry.name} had no champion before the present one`, {
        where: registry.name,
        try: "--to <version>",
      });
    const { version } = registry.version(target);
    writer.setAlias("champion", version);
    const from = now ?? null;
    const reasons = [to === undefined ? "to the champion before" : "to a named version"];
    writer.audit({ action: "rollback", version, from, to: version, reasons });
    return { from, to: version };
  }, about);
}

/** The champion that the present one took over from, by the log; a rollback goes one further back each time. */
function championBefore(history: readonly AuditEntry[], now: number | undefined): number | undefined {
  const line: number[] = [];
  for (const { action, to } of history) {
    if (to === null || (action !== "promote" && action !== "rollback")) continue;
    const at = line.lastIndexOf(to);
    if (action === "rollback" && at >= 0) line.length = at + 1;
    else if (line.at(-1) !== to) line.push(to);
  }
  const at = now === undefined ? line.length : line.lastIndexOf(now);
  return line[at - 1];
}

const namesIn = (folder: string): string[] => (existsSync(folder) ? readdirSync(folder) : []);
