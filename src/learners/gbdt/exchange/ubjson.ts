/**
 * Universal Binary JSON (ubjson.org, draft 12), as XGBoost's `.ubj` files hold it: numbers of one type in
 * arrays come as typed arrays of big-endian values.
 *
 * @throws RangeError where the bytes end too soon, SyntaxError for a marker that is none
 */
export function parseUbjson(bytes: Uint8Array): unknown {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;

  const marker = (): string => {
    let letter = "N";
    while (letter === "N") letter = String.fromCharCode(view.getUint8(at++));
    return letter;
  };

  function number(type: string): number {
    const from = at;
    switch (type) {
      case "i":
        at += 1;
        return view.getInt8(from);
      case "U":
        at += 1;
        return view.getUint8(from);
      case "I":
        at += 2;
        return view.getInt16(from);
      case "l":
        at += 4;
        return view.getInt32(from);
      case "L":
        at += 8;
        return Number(view.getBigInt64(from));
      case "d":
        at += 4;
        return view.getFloat32(from);
      case "D":
        at += 8;
        return view.getFloat64(from);
      default:
        throw new SyntaxError(`"${type}" at byte ${at} is no type of number`);
    }
  }

  function text(): string {
    const length = number(marker());
    if (!(length >= 0 && at + length <= bytes.length)) throw new RangeError("a text is longer than the file");
    at += length;
    return Buffer.from(bytes.buffer, bytes.byteOffset + at - length, length).toString("utf8");
  }

  function value(type: string): unknown {
    switch (type) {
      case "Z":
        return null;
      case "T":
        return true;
      case "F":
        return false;
      case "C":
        return String.fromCharCode(view.getUint8(at++));
      case "S":
        return text();
      case "[":
        return list();
      case "{":
        return mapping();
      default:
        return number(type);
    }
  }

  /** What may stand before the items: their type, their count. */
  function header(): { type?: string; count?: number } {
    const found: { type?: string; count?: number } = {};
    if (String.fromCharCode(view.getUint8(at)) === "$") {
      at++;
      found.type = marker();
    }
    if (String.fromCharCode(view.getUint8(at)) === "#") {
      at++;
      found.count = number(marker());
      if (!(found.count >= 0 && found.count <= bytes.length))
        throw new RangeError("an array is longer than the file");
    }
    return found;
  }

  function list(): unknown[] {
    const { type, count } = header();
    const items: unknown[] = [];
    if (count !== undefined) for (let i = 0; i < count; i++) items.push(value(type ?? marker()));
    else for (let next = marker(); next !== "]"; next = marker()) items.push(value(next));
    return items;
  }

  function mapping(): Record<string, unknown> {
    const { type, count } = header();
    const found: Record<string, unknown> = {};
    const ended = (read: number): boolean => {
      if (count !== undefined) return read === count;
      if (String.fromCharCode(view.getUint8(at)) !== "}") return false;
      at++;
      return true;
    };
    for (let read = 0; !ended(read); read++) {
      const key = text();
      found[key] = value(type ?? marker());
    }
    return found;
  }

  return value(marker());
}
