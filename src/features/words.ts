/** How runs of Chinese characters are cut: by jieba's dictionary, or into overlapping pairs where it is not installed. */
export type ChineseCut = "jieba" | "pairs";

/** Cuts texts into words. */
export interface WordCutter {
  /** Lower-case words of letters and digits, in order; punctuation is left out. */
  words(text: string): string[];
  /** Absent when no Chinese was expected. */
  chinese?: ChineseCut;
}

const run = /\p{Script=Han}+|(?:(?!\p{Script=Han})[\p{L}\p{N}\p{M}])+/gu;
const han = /^\p{Script=Han}/u;

/** Whether a text holds Chinese characters, so that a cutter with a dictionary is worth loading. */
export function holdsChinese(text: string): boolean {
  return /\p{Script=Han}/u.test(text);
}

/**
 * Words of texts in any script: Unicode letters and digits, normalised (NFKC) and in lower case. Chinese
 * runs are cut by jieba in its search mode (long words also give the words inside them), or, where the
 * optional package is missing, into overlapping pairs of characters.
 *
 * @param chinese whether Chinese is to be expected: the dictionary takes half a second to load
 */
export async function wordCutter(chinese: boolean): Promise<WordCutter> {
  const cut = chinese ? await jieba() : undefined;
  return {
    words: (text) =>
      (text.normalize("NFKC").toLowerCase().match(run) ?? []).flatMap((part) =>
        han.test(part) ? (cut ? cut(part) : pairs(part)) : [part],
      ),
    chinese: chinese ? (cut ? "jieba" : "pairs") : undefined,
  };
}

async function jieba(): Promise<((text: string) => string[]) | undefined> {
  try {
    const [{ Jieba }, { dict }] = await Promise.all([
      import("@node-rs/jieba"),
      import("@node-rs/jieba/dict.js"),
    ]);
    const cutter = Jieba.withDict(dict);
    return (text) => cutter.cutForSearch(text, true);
  } catch {
    // An optional dependency: some platforms have no build of it.
    return undefined;
  }
}

/** Overlapping pairs of characters; a single one stands alone. */
export function pairs(text: string): string[] {
  const letters = [...text];
  if (letters.length === 1) return letters;
  return letters.slice(1).map((letter, i) => letters[i] + letter);
}
