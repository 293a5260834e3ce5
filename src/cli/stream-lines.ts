/**
 * Reads NDJSON on stdin and writes an answer for every line on stdout: the lines that have arrived
 * together are answered together, no faster than the reader takes the answers.
 *
 * @param answer gives the answers of some lines, in their order
 * @returns how many answers were written, and how many of them say an error
 */
export async function streamLines(
  answer: (lines: readonly string[]) => Promise<readonly Record<string, unknown>[]>,
  signal: AbortSignal,
): Promise<{ answered: number; refused: number }> {
  let answered = 0;
  let refused = 0;
  const reply = async (lines: readonly string[]): Promise<void> => {
    const answers = await answer(lines);
    if (answers.length === 0) return;
    answered += answers.length;
    refused += answers.filter((one) => "error" in one).length;
    await put(`${answers.map((one) => JSON.stringify(one, plain)).join("\n")}\n`);
  };
  const stop = (): void => void process.stdin.destroy();
  signal.addEventListener("abort", stop);
  process.stdin.setEncoding("utf8");
  let rest = "";
  try {
    for await (const chunk of process.stdin as AsyncIterable<string>) {
      const lines = (rest + chunk).split(/\r?\n/);
      rest = lines.pop()!;
      if (lines.length > 0) await reply(lines);
    }
    if (rest !== "") await reply([rest]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
  signal.throwIfAborted();
  return { answered, refused };
}

/** int64 as a number where it is exact. */
const plain = (_key: string, value: unknown): unknown =>
  typeof value !== "bigint" ? value : Number.isSafeInteger(Number(value)) ? Number(value) : String(value);

function put(text: string): Promise<void> {
  return new Promise((resolve) => {
    if (process.stdout.write(text)) resolve();
    else process.stdout.once("drain", resolve);
  });
}
