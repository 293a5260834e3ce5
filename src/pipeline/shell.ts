import { spawn } from "node:child_process";
import { ShopaiError } from "../core/errors.js";
import { rememberChild } from "./child.js";
import { defineCommand, option } from "./command.js";
import type { StageRun } from "./stage-run.js";
import { withOutputsAside } from "./outputs.js";

/** `run: shell`: a command of the user's with declared inputs and outputs. */
export const shell = defineCommand({
  name: "shell",
  summary: "run a shell command with declared inputs and outputs",
  inputs: { usage: "[file...]", min: 0, max: Infinity, help: "files and folders that the command reads" },
  examples: [],
  options: {
    command: option.text("the command line, given to sh; it runs in the project folder"),
    out: option.repeated("files and folders that the command writes", { arg: "<path>" }).default([]),
    env: option
      .names("environment variables that it needs; their values stay out of lock and logs")
      .default([]),
  },
  reads: (o) => o.in,
  writes: (o) => o.out,
  async run(o, run) {
    const { log, childFile } = run as StageRun;
    await withOutputsAside(o.out, async () => {
      const { code, tail } = await runShell(o.command, { log, childFile, signal: run.signal });
      if (code !== 0)
        throw new ShopaiError("data", `the command ended with ${code}${tail ? `: ${tail}` : ""}`, {
          where: o.command.trim(),
          try: "running it by hand; its words are in the stage's log",
        });
    });
    return { json: { command: o.command, code: 0, out: o.out } };
  },
});

interface ShellAbout {
  log(text: string): void;
  signal: AbortSignal;
  /** Where the process is taken down while it runs. */
  childFile?: string;
  env?: Record<string, string>;
}

/** Runs a command line and gives how it ended and the last line of its stderr. */
export function runShell(
  command: string,
  { log, signal, childFile, env }: ShellAbout,
): Promise<{ code: number | string; tail: string }> {
  return new Promise((resolve, reject) => {
    // A group of its own, so that an interrupt ends what the shell started as well.
    const child = spawn(command, {
      shell: true,
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
      env: { ...process.env, ...env },
    });
    const forget =
      childFile !== undefined && child.pid !== undefined ? rememberChild(childFile, child.pid) : undefined;
    const stop = (): void => {
      if (child.pid !== undefined) process.kill(-child.pid, "SIGTERM");
    };
    signal.addEventListener("abort", stop, { once: true });
    let words = "";
    child.stdout.on("data", (chunk: Buffer) => log(chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => {
      log(chunk.toString());
      words = (words + chunk.toString()).slice(-2000);
    });
    child.on("error", reject);
    child.on("close", (code, killed) => {
      signal.removeEventListener("abort", stop);
      forget?.();
      resolve({ code: code ?? killed ?? 1, tail: words.trim().split("\n").at(-1)?.slice(0, 300) ?? "" });
    });
  });
}
