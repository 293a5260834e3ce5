import { closeSync, openSync, writeSync } from "node:fs";
import { ShopaiError } from "../core/errors.js";

const bufferBytes = 1 << 20;

/** A file in the engine's scratch folder that records are gathered in; bytes are copied before `write` returns. */
export class ScratchFile {
  #descriptor: number;
  #buffer = Buffer.allocUnsafe(bufferBytes);
  #held = 0;

  constructor(readonly path: string) {
    this.#descriptor = openSync(path, "w");
  }

  write(bytes: Buffer): void {
    if (this.#held + bytes.length > bufferBytes) this.#flush();
    if (bytes.length >= bufferBytes) return this.#put(bytes);
    this.#held += bytes.copy(this.#buffer, this.#held);
  }

  close(): void {
    this.#flush();
    closeSync(this.#descriptor);
  }

  #flush(): void {
    this.#put(this.#buffer.subarray(0, this.#held));
    this.#held = 0;
  }

  #put(bytes: Buffer): void {
    try {
      for (let at = 0; at < bytes.length;) at += writeSync(this.#descriptor, bytes, at);
    } catch (cause) {
      throw new ShopaiError("engine", "the scratch folder is full", {
        where: this.path,
        try: "SHOPAI_TMPDIR=<a folder with more room>",
        cause,
      });
    }
  }
}
