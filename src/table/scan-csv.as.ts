// memory: own
// The fast twin of PlainCopier in src/table/copy-records.ts: same records, same bytes, same place to stop.

const QUOTE: u8 = 0x22;
const LF: u8 = 0x0a;
const CR: u8 = 0x0d;
const MINUS: u8 = 0x2d;

/** Where the answer is left: position, line, records, written, longest, each 32 bits. */
const answer: usize = memory.data(20, 16);
/** The digits of the line number end at its middle; what follows may be read but means nothing. */
const digits: usize = memory.data(64, 16);
const digitsEnd: usize = digits + 32;
let digitCount: i32 = 0;

export function answerAt(): usize {
  return answer;
}

function setLine(line: u32): void {
  let rest = line;
  digitCount = 0;
  do {
    digitCount++;
    store<u8>(digitsEnd - <usize>digitCount, <u8>(0x30 + (rest % 10)));
    rest /= 10;
  } while (rest > 0);
}

function nextLine(): void {
  let at = digitsEnd - 1;
  const first = digitsEnd - <usize>digitCount;
  while (at >= first) {
    const digit = load<u8>(at);
    if (digit !== 0x39) {
      store<u8>(at, digit + 1);
      return;
    }
    store<u8>(at, 0x30);
    at--;
  }
  digitCount++;
  store<u8>(digitsEnd - <usize>digitCount, 0x31);
}

/** Copies 16 bytes at a time: up to 15 bytes past the end are written and read, which the caller leaves room for. */
function copy(to: usize, from: usize, length: usize): void {
  for (let i: usize = 0; i < length; i += 16) v128.store(to + i, v128.load(from + i));
}

function isBlank(byte: u8): bool {
  return byte === 0x20 || byte === 0x09;
}

const BAD: i32 = 0;
const ASCII: i32 = 1;
const TEXT: i32 = 2;

/** BAD unless bytes are UTF-8 (RFC 3629) without NUL and, if `strict`, without U+FFFD; ASCII if that is all they are. */
function textKind(from: usize, length: usize, strict: bool): i32 {
  const end = from + length;
  let at = from;
  let kind = ASCII;
  while (at < end) {
    const lead = load<u8>(at);
    if (lead < 0x80) {
      if (lead === 0) return BAD;
      at++;
      continue;
    }
    const more: usize = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
    if (lead < 0xc2 || lead > 0xf4 || at + more >= end) return BAD;
    const second = load<u8>(at + 1);
    if ((second & 0xc0) !== 0x80) return BAD;
    if (lead === 0xe0 && second < 0xa0) return BAD;
    if (lead === 0xed && second > 0x9f) return BAD;
    if (lead === 0xf0 && second < 0x90) return BAD;
    if (lead === 0xf4 && second > 0x8f) return BAD;
    if (more > 1 && (load<u8>(at + 2) & 0xc0) !== 0x80) return BAD;
    if (more > 2 && (load<u8>(at + 3) & 0xc0) !== 0x80) return BAD;
    if (strict && lead === 0xef && second === 0xbf && load<u8>(at + 2) === 0xbd) return BAD;
    kind = TEXT;
    at += more + 1;
  }
  return kind;
}

// The kinds of fieldKinds in copy-records.ts; a decimal of scale s is DECIMAL + s.
const NUMBER: u32 = 1;
const DATE: u32 = 2;
const DECIMAL: u32 = 4;
/** As `mostDigits` there. */
const MOST_DIGITS: usize = 16;

function isDigit(byte: u8): bool {
  return byte - 0x30 < 10;
}

/** Whether 16 bytes lie in `[low, low + range]`, place by place. */
function within(bytes: v128, low: v128, range: v128): bool {
  return i8x16.all_true(i8x16.le_u(i8x16.sub(bytes, low), range));
}

/** Whether a field is as its kind is commonly written. */
function isCommon(kind: u32, from: usize, to: usize): bool {
  return kind === NUMBER || kind >= DECIMAL ? isNumber(kind, from, to) : isInstant(kind, from, to - from);
}

function isNumber(kind: u32, from: usize, to: usize): bool {
  const first = from + <usize>(load<u8>(from) === MINUS);
  if (first === to || to - first > MOST_DIGITS) return false;
  let point: usize = 0;
  for (let at = first; at < to; at++) {
    const byte = load<u8>(at);
    if (isDigit(byte)) continue;
    if (byte !== 0x2e || point !== 0 || at === first) return false;
    point = at;
  }
  return point === 0 || kind === NUMBER || to - 1 - point <= <usize>(kind - DECIMAL);
}

function isInstant(kind: u32, from: usize, length: usize): bool {
  const bytes = v128.load(from);
  if (length === 10)
    return within(
      bytes,
      i8x16(0x30, 0x30, 0x30, 0x30, 0x2d, 0x30, 0x30, 0x2d, 0x30, 0x30, 0, 0, 0, 0, 0, 0),
      i8x16(9, 9, 9, 9, 0, 9, 9, 0, 9, 9, -1, -1, -1, -1, -1, -1),
    );
  if (kind === DATE || length !== 19) return false;
  const between = load<u8>(from + 10);
  return (
    (between === 0x20 || between === 0x54) &&
    within(
      bytes,
      i8x16(0x30, 0x30, 0x30, 0x30, 0x2d, 0x30, 0x30, 0x2d, 0x30, 0x30, 0, 0x30, 0x30, 0x3a, 0x30, 0x30),
      i8x16(9, 9, 9, 9, 0, 9, 9, 0, 9, 9, -1, 9, 9, 0, 9, 9),
    ) &&
    load<u8>(from + 16) === 0x3a &&
    isDigit(load<u8>(from + 17)) &&
    isDigit(load<u8>(from + 18))
  );
}

/** Whether 64 bytes hold a NUL or a byte above 127: all others are text. */
function anyOdd(at: usize): bool {
  const zero = i8x16.splat(0);
  return v128.any_true(
    v128.or(
      v128.or(i8x16.le_s(v128.load(at), zero), i8x16.le_s(v128.load(at + 16), zero)),
      v128.or(i8x16.le_s(v128.load(at + 32), zero), i8x16.le_s(v128.load(at + 48), zero)),
    ),
  );
}

function specials(at: usize, delimiter: v128): u64 {
  const quotes = i8x16.splat(<i8>QUOTE);
  const lfs = i8x16.splat(<i8>LF);
  const crs = i8x16.splat(<i8>CR);
  let bits: u64 = 0;
  for (let part: usize = 0; part < 4; part++) {
    const bytes = v128.load(at + part * 16);
    const hits = v128.or(
      v128.or(i8x16.eq(bytes, quotes), i8x16.eq(bytes, delimiter)),
      v128.or(i8x16.eq(bytes, lfs), i8x16.eq(bytes, crs)),
    );
    bits |= (<u64>(<u32>i8x16.bitmask(hits))) << (part * 16);
  }
  return bits;
}

/**
 * Copies records of [start, end) to [out, outEnd) while they are plainly good, each behind
 * `prefix`, its line (negative unless the record is plain) and the delimiter. `kinds`: a byte for each of the
 * first `kindCount` columns; records with more are not plain.
 */
export function copyGood(
  start: usize,
  end: usize,
  out: usize,
  outEnd: usize,
  delimiter: u32,
  columns: u32,
  line: u32,
  prefix: usize,
  prefixLength: usize,
  longestRecord: u32,
  strict: bool,
  kinds: usize,
  kindCount: u32,
): void {
  const delimiterByte = <u8>delimiter;
  const delimiters = i8x16.splat(<i8>delimiter);
  let position = start;
  let lineNow = line;
  let records: u32 = 0;
  let to = out;
  let longest: u32 = 0;
  setLine(line);

  let fields: u32 = 1;
  let lines: u32 = 1;
  let fieldStart = start;
  let quoted = false;
  /** Whether the record at hand is plain so far (copy-records.ts). */
  let plain = true;
  /** The second quote of a pair, which is no quote. */
  let skipped: usize = 0;
  let stop = false;
  /** Whether the record at hand began in an earlier block that held more than plain ASCII. */
  let oddBefore = false;

  for (let block = start; block < end && !stop; block += 64) {
    const odd = anyOdd(block);
    let bits = specials(block, delimiters);
    if (end - block < 64) bits &= ((<u64>1) << (end - block)) - 1;
    while (bits !== 0) {
      const at = block + <usize>ctz(bits);
      bits &= bits - 1;
      const byte = load<u8>(at);
      if (quoted) {
        if (byte === QUOTE) {
          if (at === skipped) continue;
          if (at + 1 >= end) {
            stop = true;
            break;
          }
          const next = load<u8>(at + 1);
          if (next === QUOTE) skipped = at + 1;
          else if (next === delimiterByte || next === LF || next === CR) quoted = false;
          else {
            stop = true;
            break;
          }
        } else if (byte === LF || (byte === CR && load<u8>(at + 1) !== LF)) lines++;
        continue;
      }
      if (byte === QUOTE) {
        if (at !== fieldStart) {
          stop = true;
          break;
        }
        quoted = true;
        plain = false;
        continue;
      }
      let fieldEnd = at;
      if (byte === CR) {
        if (at + 1 >= end) {
          stop = true;
          break;
        }
        if (load<u8>(at + 1) === LF) continue;
      } else if (byte === LF && at > position && load<u8>(at - 1) === CR) fieldEnd = at - 1;
      if (plain && fieldEnd > fieldStart) {
        if (isBlank(load<u8>(fieldStart)) || isBlank(load<u8>(fieldEnd - 1)) || fields > kindCount)
          plain = false;
        else {
          const kind = load<u8>(kinds + fields - 1);
          if (kind !== 0) plain = isCommon(kind, fieldStart, fieldEnd);
        }
      }
      if (byte === delimiterByte) {
        fields++;
        fieldStart = at + 1;
        continue;
      }
      const length = fieldEnd - position;
      if (length > 0 || columns === 1) {
        const kind = odd || oddBefore ? textKind(position, length, strict) : ASCII;
        if (
          fields !== columns ||
          <u32>length > longestRecord ||
          kind === BAD ||
          to + prefixLength + length + 32 > outEnd
        ) {
          stop = true;
          break;
        }
        if (prefixLength > 0) {
          copy(to, prefix, prefixLength);
          to += prefixLength;
        }
        if (!plain || kind !== ASCII) {
          store<u8>(to, MINUS);
          to++;
        }
        v128.store(to, v128.load(digitsEnd - <usize>digitCount));
        to += <usize>digitCount;
        store<u8>(to, delimiterByte);
        to++;
        copy(to, position, length);
        to += length;
        store<u8>(to, LF);
        to++;
        records++;
        if (<u32>length > longest) longest = <u32>length;
      }
      position = at + 1;
      oddBefore = false;
      plain = true;
      lineNow += lines;
      for (; lines > 0; lines--) nextLine();
      lines = 1;
      fields = 1;
      fieldStart = position;
    }
    oddBefore = oddBefore || odd;
  }
  store<u32>(answer, <u32>(position - start));
  store<u32>(answer + 4, lineNow);
  store<u32>(answer + 8, records);
  store<u32>(answer + 12, <u32>(to - out));
  store<u32>(answer + 16, longest);
}
