/** Bytes of one frame; `last` ends it. */
export interface FramePiece {
  bytes: Buffer;
  last: boolean;
}

/**
 * Cuts zstd data at the ends of its frames, following their blocks without inflating them: the inflaters of some
 * Nodes stop after the first frame, and they, and fzstd, take data that is cut short for whole.
 *
 * RFC 8878, sections 3.1.1 (frames, blocks) and 3.1.2 (skippable frames).
 *
 * @throws Error "invalid zstd data" where a frame does not begin as one, "unexpected end" where the last is not whole
 */
export async function* framePieces(data: AsyncIterable<Buffer>): AsyncGenerator<FramePiece> {
  const walk = frames();
  let wanted = walk.next().value;
  let skip = 0;
  let held: Buffer = Buffer.alloc(0);
  let whole = true;
  for await (const chunk of data) {
    let from = 0;
    let at = 0;
    while (at < chunk.length) {
      if (skip > 0) {
        const step = Math.min(skip, chunk.length - at);
        skip -= step;
        at += step;
      } else {
        const taken = chunk.subarray(at, at + wanted.read - held.length);
        held = Buffer.concat([held, taken]);
        at += taken.length;
        if (held.length < wanted.read) break;
        wanted = walk.next(held).value;
        skip = wanted.skip;
        held = Buffer.alloc(0);
      }
      if (skip > 0 || !wanted.between) continue;
      yield { bytes: chunk.subarray(from, at), last: true };
      from = at;
    }
    whole = from === chunk.length;
    if (!whole) yield { bytes: chunk.subarray(from), last: false };
  }
  if (!whole) throw new Error("unexpected end");
}

/** Bytes to pass over, then bytes to read; the data may end `between` frames. */
interface Step {
  skip: number;
  read: number;
  between?: boolean;
}

function* frames(): Generator<Step, never, Buffer> {
  let skip = 0;
  for (;;) {
    const magic = (yield { skip, read: 4, between: true }).readUInt32LE();
    if (magic >>> 4 === 0x184d2a5) {
      skip = (yield { skip: 0, read: 4 }).readUInt32LE();
      continue;
    }
    if (magic !== 0xfd2fb528) throw new Error("invalid zstd data");
    const about = (yield { skip: 0, read: 1 })[0];
    const single = (about >> 5) & 1;
    const contentSize = about >> 6 === 0 ? single : 1 << (about >> 6);
    skip = 1 - single + [0, 1, 2, 4][about & 3] + contentSize;
    for (let last = 0; !last;) {
      const header = (yield { skip, read: 3 }).readUIntLE(0, 3);
      last = header & 1;
      skip = ((header >> 1) & 3) === 1 ? 1 : header >> 3;
    }
    skip += (about >> 2) & 1 ? 4 : 0;
  }
}
