import { fitted } from "./width.js";
import { appendFileSync } from "node:fs";
import { resolve } from "node:path";
import { ShopaiError } from "../core/errors.js";
import { grouped } from "../core/quantity.js";
import type { Progress } from "../engine/run.js";

interface Loudness {
  quiet: boolean;
  verbose: boolean;
  /** NDJSON log for cron. */
  log?: string;
  /** Time in ms; a test holds it still. */
  now?: () => number;
}

export interface Talker {
  progress: Progress;
  warn(message: string): void;
  /** Appends an entry to the log that `--log` names. */
  log(entry: Record<string, unknown>): void;
  close(): void;
}

/** Progress and warnings on stderr: an animated line on a terminal, plain lines in cron, nothing with --quiet. */
export function talkerFor(loudness: Loudness): Talker {
  const now = loudness.now ?? (() => performance.now());
  const animated =
    !loudness.quiet && process.stderr.isTTY === true && !process.env.CI && process.env.TERM !== "dumb";
  const spinner = animated ? liveLine() : undefined;
  const logFile = loudness.log === undefined ? undefined : resolve(loudness.log);
  let stage: { what: string; began: number; text?: string } | undefined;

  const log = (entry: Record<string, unknown>): void => {
    if (logFile !== undefined) appendLine(logFile, { time: new Date().toISOString(), ...entry });
  };
  const finish = (what?: string): void => {
    if (!stage) return;
    const seconds = (now() - stage.began) / 1000;
    spinner?.stop();
    if (!loudness.quiet && (!animated || loudness.verbose || seconds > 1 || what))
      process.stderr.write(`${stage.what}${what ? `: ${what}` : ""} (${seconds.toFixed(1)} s)\n`);
    log({ event: "stage", what: stage.what, result: what, seconds });
    stage = undefined;
  };

  return {
    progress: {
      stage(what) {
        finish();
        stage = { what, began: now() };
        spinner?.show(what);
      },
      update(done, total, unit = "rows") {
        if (!stage || !spinner) return;
        spinner.show(`${stage.what}  ${rateText(done, total, unit, (now() - stage.began) / 1000)}`);
      },
      done: finish,
    },
    warn(message) {
      spinner?.stop();
      if (!loudness.quiet)
        process.stderr.write(`${fitted(`warning: ${message}`, process.stderr.columns ?? Infinity)}\n`);
      log({ event: "warning", message });
      if (stage) spinner?.show(stage.what);
    },
    log,
    close: () => finish(),
  };
}

function appendLine(path: string, entry: Record<string, unknown>): void {
  try {
    appendFileSync(path, `${JSON.stringify(entry)}\n`);
  } catch (cause) {
    throw new ShopaiError("data", `the log cannot be written: ${(cause as Error).message}`, {
      where: path,
      try: "--log with a path in a folder that exists",
      cause,
    });
  }
}

/** "1,200,000 of 10,000,000 rows, 450,000/s, 20 s left" */
export function rateText(done: number, total: number | undefined, unit: string, seconds: number): string {
  const rate = seconds > 0.2 ? done / seconds : 0;
  const parts = [total ? `${grouped(done)} of ${grouped(total)} ${unit}` : `${grouped(done)} ${unit}`];
  if (rate > 0) parts.push(`${grouped(Math.round(rate))}/s`);
  if (rate > 0 && total && done < total) parts.push(`${Math.ceil((total - done) / rate)} s left`);
  return parts.join(", ");
}

interface LiveLine {
  show(text: string): void;
  stop(): void;
}

/** ora, loaded only on a terminal and only when something is shown: it costs 60 ms. */
function liveLine(): LiveLine {
  let wanted: string | undefined;
  let spinner: { text: string; start(): unknown; stop(): unknown; isSpinning: boolean } | undefined;
  let loading = false;
  return {
    show(text) {
      wanted = text;
      if (spinner) {
        spinner.text = text;
        if (!spinner.isSpinning) spinner.start();
      } else if (!loading) {
        loading = true;
        void import("ora").then(({ default: ora }) => {
          spinner = ora({ stream: process.stderr, discardStdin: false });
          if (wanted !== undefined) {
            spinner.text = wanted;
            spinner.start();
          }
        });
      }
    },
    stop() {
      wanted = undefined;
      spinner?.stop();
    },
  };
}
