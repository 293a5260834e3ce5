/** A message of Protocol Buffers as it is written: fields one after the other (protobuf.dev, "Encoding"). */
export type Message = Uint8Array;

const varint = (value: number | bigint): Uint8Array => {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  while (rest > 127n) {
    bytes.push(Number(rest & 127n) | 128);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  return Uint8Array.from(bytes);
};

/** An integer or enumeration. */
export const integer = (field: number, value: number | bigint): Message =>
  Buffer.concat([varint(field << 3), varint(value)]);

/** Bytes, a text, or another message. */
export const bytes = (field: number, value: Uint8Array | string): Message => {
  const content = typeof value === "string" ? Buffer.from(value, "utf8") : value;
  return Buffer.concat([varint((field << 3) | 2), varint(content.length), content]);
};

/** Many integers, packed. */
export const integers = (field: number, values: Iterable<number>): Message =>
  bytes(field, Buffer.concat(Array.from(values, varint)));

export const message = (...fields: readonly Message[]): Message => Buffer.concat(fields);
