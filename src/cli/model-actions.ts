import { ShopaiError } from "../core/errors.js";
import type { Run } from "../engine/run.js";
import { openTable } from "../table/open.js";
import type { Block, Cell, Result } from "../pipeline/command.js";
import type { AuditEntry } from "../pipeline/audit.js";
import { judged, readRules, type Check, type Rules } from "../pipeline/promotion.js";
import {
  defaultRegistry,
  existingRegistry,
  modelNames,
  openRegistry,
  rollback,
  type LockAbout,
  type ModelVersion,
  type Registry,
} from "../pipeline/registry.js";
import type { StageRun } from "../pipeline/stage-run.js";

interface Options {
  registry?: string;
  name?: string;
  rules?: string;
  to?: number;
  now?: string;
  lockTimeout?: number;
  where?: string;
  format?: string;
}

const rootOf = (o: Options): string => o.registry ?? defaultRegistry;

const lockAbout = (o: Options, run: Run): LockAbout => ({
  timeout: o.lockTimeout ?? (process.stderr.isTTY ? 0 : 600),
  signal: run.signal,
  warn: run.warn,
});

/** `models list`: every model with its champion and challenger. */
export async function list(_: string[], o: Options): Promise<Result> {
  const models = modelNames(rootOf(o)).map((name) => {
    const registry = openRegistry(rootOf(o), name);
    const versions = registry.versions();
    const champion = registry.alias("champion") ?? null;
    return {
      name,
      versions: versions.length,
      champion,
      challenger: registry.alias("challenger") ?? null,
      learner: versions.find(({ version }) => version === champion)?.learner ?? null,
    };
  });
  return {
    json: models,
    blocks: [
      {
        kind: "table",
        head: ["model", "versions", "champion", "challenger", "learner"],
        rows: models.map((one) => [one.name, one.versions, one.champion, one.challenger, one.learner]),
      },
    ],
  };
}

/** `models show`: the versions of a model and its log, or all that is known of one version. */
export async function show([name, number]: string[], o: Options): Promise<Result> {
  const registry = existingRegistry(rootOf(o), name);
  const aliases = {
    champion: registry.alias("champion") ?? null,
    challenger: registry.alias("challenger") ?? null,
  };
  if (number !== undefined) {
    const version = registry.version(Number(number));
    return {
      json: { name, ...version, folder: registry.folder(version.version), aliases },
      blocks: [
        { kind: "title", text: `${name} ${version.version}` },
        { kind: "pairs", rows: versionPairs(registry, version) },
      ],
    };
  }
  const versions = registry.versions();
  const history = registry.history();
  return {
    json: { name, ...aliases, versions, history },
    blocks: [
      { kind: "title", text: name },
      {
        kind: "table",
        head: ["version", "", "learner", "rows", "registered", "metrics"],
        rows: versions.map((one): Cell[] => [
          one.version,
          Object.entries(aliases)
            .filter(([, version]) => version === one.version)
            .map(([alias]) => alias)
            .join(", "),
          one.learner,
          one.rows,
          one.registered.slice(0, 16).replace("T", " "),
          metricsText(one.metrics),
        ]),
      },
      historyBlock(history),
    ],
  };
}

function versionPairs(registry: Registry, version: ModelVersion): [string, Cell][] {
  return [
    ["folder", registry.folder(version.version)],
    ["learner", `${version.learner} (${version.task})`],
    ["trained on", `${version.rows} rows, seed ${version.seed}`],
    ...version.inputs.map(({ path, sha256 }): [string, Cell] => [path, sha256.slice(0, 12)]),
    ["pipeline", version.pipeline],
    ["lock", version.lock?.slice(0, 12)],
    ["model.json", version.model.slice(0, 12)],
    ["registered", version.registered],
    ["metrics", metricsText(version.metrics)],
  ];
}

const metricsText = (metrics: ModelVersion["metrics"]): string =>
  Object.entries(metrics ?? {})
    .slice(0, 4)
    .map(([name, value]) => `${name} ${value === null ? "–" : Number(value.toPrecision(4))}`)
    .join(", ");

const historyBlock = (history: readonly AuditEntry[]): Block => ({
  kind: "table",
  head: ["time", "by", "what", "version", "champion", "why"],
  rows: history.map(({ time, by, action, version, from, to, reasons }): Cell[] => [
    time.slice(0, 16).replace("T", " "),
    by,
    action,
    version,
    `${from ?? "none"} → ${to ?? "none"}`,
    reasons.join("; "),
  ]),
});

/**
 * `models promote`: registers a model, judges it by the rules against the champion, and makes it champion.
 * @throws ShopaiError "gate" with the rules that say no; the champion stays, and the model is the challenger
 */
export async function promote([model, ...tables]: string[], o: Options, run: Run): Promise<Result> {
  if (o.name === undefined || o.rules === undefined)
    throw new ShopaiError("usage", `models promote needs --${o.name === undefined ? "name" : "rules"}`, {
      try: "shopai models promote model/ test.parquet --name conversion --rules promotion.yaml",
    });
  const rules = readRules(o.rules);
  const now = o.now === undefined ? new Date() : new Date(o.now);
  if (Number.isNaN(now.getTime()))
    throw new ShopaiError("usage", `--now must be a time, got ${o.now}`, {
      try: "--now 2026-01-31T06:00:00Z",
    });
  const registry = openRegistry(rootOf(o), o.name);
  const rows = await openTable(await run.engine(), tables, { ...o, signal: run.signal });
  const { lineage } = run as Partial<StageRun>;
  return registry.alone(
    async (writer) => {
      const version = await writer.register(model, lineage?.() ?? {});
      const champion = registry.alias("champion");
      const answer = { name: o.name, version, from: champion ?? null };
      if (champion === version)
        return told({ ...answer, champion, promoted: false, checks: [] }, "is champion already");
      const verdict = await verdictOf(registry, version, champion, { rows, rules, now, run });
      await writer.keepMetrics(version, verdict.metrics);
      if (!verdict.passed) {
        const reasons = verdict.checks
          .filter(({ passed }) => !passed)
          .map(({ rule, detail }) => `${rule}: ${detail}`);
        writer.setAlias("challenger", version);
        writer.audit({ action: "refuse", version, from: champion ?? null, to: champion ?? null, reasons });
        throw new ShopaiError("gate", `${o.name} ${version} is not promoted: ${reasons.join("; ")}`, {
          where: o.rules,
          try:
            champion === undefined
              ? "a better model, or other rules"
              : `nothing: version ${champion} stays champion`,
        });
      }
      const reasons = verdict.checks.map(({ rule, detail }) => `${rule}: ${detail}`);
      writer.setAlias("champion", version);
      if (registry.alias("challenger") === version) writer.setAlias("challenger", undefined);
      writer.audit({ action: "promote", version, from: champion ?? null, to: version, reasons });
      const json = {
        ...answer,
        champion: version,
        promoted: true,
        checks: verdict.checks,
        metrics: verdict.metrics,
      };
      return told(json, champion === undefined ? "is the first champion" : `takes over from ${champion}`);
    },
    lockAbout(o, run),
  );
}

async function verdictOf(
  registry: Registry,
  version: number,
  champion: number | undefined,
  {
    rows,
    rules,
    now,
    run,
  }: { rows: Awaited<ReturnType<typeof openTable>>; rules: Rules; now: Date; run: Run },
) {
  const before = champion === undefined ? undefined : registry.folder(champion);
  return judged(registry.folder(version), before, rows, rules, now, run);
}

interface Promotion {
  name?: string;
  version: number;
  promoted: boolean;
  checks: Check[];
}

const told = (json: Promotion & Record<string, unknown>, what: string): Result => ({
  json,
  blocks: [
    { kind: "title", text: `${json.name} ${json.version} ${what}` },
    ...(json.checks.length > 0
      ? [
          {
            kind: "table",
            head: ["rule", "met", "found"],
            rows: json.checks.map(({ rule, passed, detail }): Cell[] => [
              rule,
              passed ? "yes" : "no",
              detail,
            ]),
          } satisfies Block,
        ]
      : []),
  ],
});

/** `models rollback`: the champion before becomes champion again. */
export async function rollBack([name]: string[], o: Options, run: Run): Promise<Result> {
  const registry = existingRegistry(rootOf(o), name);
  const { from, to } = await rollback(registry, o.to, lockAbout(o, run));
  return {
    json: { name, from, champion: to },
    blocks: [
      {
        kind: "line",
        text: `${name}: version ${to} is champion again${from === null ? "" : `, before it was ${from}`}`,
      },
    ],
  };
}
