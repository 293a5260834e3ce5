/**
 * Inflates LZ4 frames, the compression that pyarrow gives Feather files by default (LZ4 Frame Format 1.6.4,
 * LZ4 Block Format). Checksums are not looked at; damage shows in lengths.
 */
export function inflateLz4(bytes: Uint8Array): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(0, true) !== 0x184d2204) throw new Error("no LZ4 frame");
  const flags = bytes[4];
  const hasBlockChecksum = (flags & 0x10) !== 0;
  const hasSize = (flags & 0x08) !== 0;
  const hasDictionary = (flags & 0x01) !== 0;
  let out: Uint8Array = new Uint8Array(hasSize ? Number(view.getBigUint64(6, true)) : bytes.length * 4);
  let written = 0;
  let at = 6 + (hasSize ? 8 : 0) + (hasDictionary ? 4 : 0) + 1;
  for (;;) {
    const head = view.getUint32(at, true);
    at += 4;
    if (head === 0) return out.subarray(0, written);
    const size = head & 0x7fffffff;
    const block = bytes.subarray(at, at + size);
    if (block.length < size) throw new Error("an LZ4 block is cut short");
    if (head & 0x80000000) {
      out = withRoom(out, written + size);
      out.set(block, written);
      written += size;
    } else [out, written] = inflateBlock(block, out, written);
    at += size + (hasBlockChecksum ? 4 : 0);
  }
}

function inflateBlock(block: Uint8Array, into: Uint8Array, from: number): [Uint8Array, number] {
  let out = into;
  let written = from;
  let at = 0;
  const extended = (short: number): number => {
    let length = short;
    if (short === 15) {
      let byte: number;
      do {
        if (at >= block.length) throw new Error("an LZ4 length is cut short");
        byte = block[at++];
        length += byte;
      } while (byte === 255);
    }
    return length;
  };
  while (at < block.length) {
    const token = block[at++];
    const literals = extended(token >> 4);
    if (at + literals > block.length) throw new Error("LZ4 literals are cut short");
    out = withRoom(out, written + literals);
    out.set(block.subarray(at, at + literals), written);
    at += literals;
    written += literals;
    if (at >= block.length) break;
    const distance = block[at] | (block[at + 1] << 8);
    at += 2;
    if (distance === 0 || distance > written) throw new Error("an LZ4 match points before the start");
    const length = extended(token & 15) + 4;
    out = withRoom(out, written + length);
    // A match may overlap what it writes, so that it repeats itself.
    for (let i = 0; i < length; i++, written++) out[written] = out[written - distance];
  }
  return [out, written];
}

function withRoom(out: Uint8Array, needed: number): Uint8Array {
  if (needed <= out.length) return out;
  const larger = new Uint8Array(Math.max(needed, out.length * 2));
  larger.set(out);
  return larger;
}
