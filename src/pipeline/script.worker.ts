import { readFileSync, writeFileSync } from "node:fs";
import nodeModule from "node:module";
import { isMainThread, parentPort, workerData } from "node:worker_threads";
import { type Table, tableFromArrays, tableFromIPC, tableToIPC, vectorFromArray } from "apache-arrow";
import { packageFor } from "./packages.js";

export interface ScriptTask {
  /** URL of what is imported. */
  module: string;
  /** The user's file, from where its packages are found. */
  source: string;
  /** Arrow files, one an input. */
  tables: string[];
  frames: boolean;
  params: Record<string, unknown>;
  env: Record<string, string>;
  seed: number;
  /** Where an Arrow table goes. */
  out: string;
}

export type ScriptAnswer =
  | { kind: "table"; path: string }
  | { kind: "text"; text: string }
  /** `missing`: a package that would have to be installed. */
  | { kind: "failed"; message: string; missing?: string };

type Columns = Record<string, ArrayLike<unknown>>;

/** The part of a danfojs data frame that is used here. */
interface DataFrame {
  columns: string[];
  column(name: string): { values: unknown[] };
}

/** Where Node reads TypeScript itself: `./rate.js` means `./rate.ts`, as TypeScript has it, when only that is there. */
function findTypeScript(): void {
  const { typescript } = process.features as { typescript?: string | false };
  if (!typescript) return;
  type Next = (specifier: string, context: object) => object;
  const { registerHooks } = nodeModule as { registerHooks?: (hooks: { resolve: Resolve }) => void };
  type Resolve = (specifier: string, context: object, next: Next) => object;
  registerHooks?.({
    resolve(specifier, context, next) {
      try {
        return next(specifier, context);
      } catch (cause) {
        const source = specifier.replace(/\.([mc]?)js$/, ".$1ts");
        if (source === specifier || (cause as NodeJS.ErrnoException).code !== "ERR_MODULE_NOT_FOUND")
          throw cause;
        return next(source, context);
      }
    },
  });
}

async function answerTo(task: ScriptTask): Promise<ScriptAnswer> {
  findTypeScript();
  const module = (await import(task.module)) as { default?: unknown };
  if (typeof module.default !== "function")
    return { kind: "failed", message: "the module has no default export that is a function" };
  const tables = task.tables.map((path) => tableFromIPC(readFileSync(path)));
  let given: unknown[] = tables;
  if (task.frames) {
    const danfo = packageFor<{ DataFrame: new (columns: Columns) => DataFrame }>(task.source, "danfojs-node");
    if (!danfo)
      return {
        kind: "failed",
        message: "frames: true needs the package danfojs-node",
        missing: "danfojs-node",
      };
    given = tables.map((table) => new danfo.DataFrame(columnsOf(table)));
  }
  const made: unknown = await (module.default as (tables: unknown[], about: object) => unknown)(given, {
    params: task.params,
    env: task.env,
    seed: task.seed,
  });
  if (typeof made === "string") return { kind: "text", text: made };
  const table = tableOf(made);
  if (!table)
    return {
      kind: "failed",
      message: `the module must give back an Arrow table, columns ({name: array}), a data frame or a text, not ${made === null ? "null" : typeof made}`,
    };
  writeFileSync(task.out, tableToIPC(table, "file"));
  return { kind: "table", path: task.out };
}

/** Columns as plain arrays; integers that fit a number become one, since data frames know no bigint. */
function columnsOf(table: Table): Columns {
  return Object.fromEntries(
    table.schema.fields.map((field) => [
      field.name,
      [...table.getChild(field.name)!].map((value: unknown) =>
        typeof value === "bigint" && Number.isSafeInteger(Number(value)) ? Number(value) : value,
      ),
    ]),
  );
}

function tableOf(made: unknown): Table | undefined {
  if (made === null || typeof made !== "object") return undefined;
  if ("schema" in made && "batches" in made) return made as Table;
  const frame = made as Partial<DataFrame>;
  const columns: Columns =
    Array.isArray(frame.columns) && typeof frame.column === "function"
      ? Object.fromEntries(frame.columns.map((name) => [name, frame.column!(name).values]))
      : (made as Columns);
  const lists = Object.values(columns);
  if (lists.length === 0 || !lists.every((list) => Array.isArray(list) || ArrayBuffer.isView(list)))
    return undefined;
  const lengths = Object.entries(columns).map(([name, list]) => `${name} ${list.length}`);
  if (new Set(lists.map((list) => list.length)).size > 1)
    throw new Error(`the columns are not of one length: ${lengths.join(", ")}`);
  const vectors = Object.entries(columns).map(
    ([name, list]) => [name, Array.isArray(list) ? vectorFromArray(list as unknown[]) : list] as const,
  );
  return tableFromArrays(Object.fromEntries(vectors) as Record<string, Int32Array>) as Table;
}

if (!isMainThread && parentPort) {
  const answer = await answerTo(workerData as ScriptTask).catch((error: unknown): ScriptAnswer => {
    process.stderr.write(`${(error as Error)?.stack ?? String(error)}\n`);
    return { kind: "failed", message: (error as Error)?.message ?? String(error) };
  });
  parentPort.postMessage(answer);
}
