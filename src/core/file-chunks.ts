import { open } from "node:fs/promises";

const chunkBytes = 1 << 20;

/**
 * The bytes of a file in pieces of up to a MB, in a buffer that is used again: a piece is good until the
 * next one is asked for. A new buffer for each would cost more than reading does.
 */
export async function* fileChunks(path: string, signal?: AbortSignal): AsyncGenerator<Buffer> {
  const file = await open(path);
  try {
    const buffer = Buffer.allocUnsafeSlow(chunkBytes);
    for (;;) {
      signal?.throwIfAborted();
      const { bytesRead } = await file.read(buffer, 0, chunkBytes);
      if (bytesRead === 0) return;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}
