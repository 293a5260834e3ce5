import { createHash } from "node:crypto";
import { join } from "node:path";
import { ShopaiError } from "../core/errors.js";
import type { Engine } from "../engine/engine.js";
import { ScratchFile } from "./scratch-file.js";

/** Copies stdin to the scratch folder: for formats that cannot be read as a stream. */
export async function spoolStdin(
  engine: Engine,
  signal?: AbortSignal,
): Promise<{ path: string; sha256: string }> {
  const hash = createHash("sha256");
  const file = new ScratchFile(join(engine.scratch, engine.fresh("stdin")));
  let bytes = 0;
  try {
    for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
      signal?.throwIfAborted();
      hash.update(chunk);
      file.write(chunk);
      bytes += chunk.length;
    }
  } finally {
    file.close();
  }
  if (bytes === 0)
    throw new ShopaiError("data", "stdin is empty (0 bytes)", {
      where: "-",
      try: "a command before the pipe that gives rows",
    });
  return { path: file.path, sha256: hash.digest("hex") };
}
