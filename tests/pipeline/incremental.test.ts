import fc from "fast-check";
import { expect, test } from "vitest";
import { project, type Project } from "./project.js";

/** A pipeline of up to eight stages: each reads raw files and outputs of stages before it. */
interface Flow {
  stages: { inputs: number[]; suffix: string; times: number }[];
  raw: string[];
}
const rawFiles = 3;
const flow: fc.Arbitrary<Flow> = fc.record({
  raw: fc.array(fc.constantFrom("a", "b", "c"), { minLength: rawFiles, maxLength: rawFiles }),
  stages: fc.array(
    fc.record({
      // Numbers below three are raw files, the others count back over earlier stages.
      inputs: fc.uniqueArray(fc.nat(9), { minLength: 1, maxLength: 3 }),
      suffix: fc.constantFrom("", "x", "y"),
      times: fc.integer({ min: 1, max: 2 }),
    }),
    { minLength: 1, maxLength: 8 },
  ),
});

const sourceOf = (input: number, stage: number): string =>
  input < rawFiles || stage === 0 ? `raw${input % rawFiles}.txt` : `work/s${(input - rawFiles) % stage}.txt`;

function yamlOf({ stages }: Flow, backwards: boolean): string {
  const lines = stages.map(({ inputs, suffix, times }, i) => {
    const from = [...new Set(inputs.map((input) => sourceOf(input, i)))];
    return `  s${i}: { run: concat, with: { in: [${from.join(", ")}], suffix: "${suffix}", times: ${times}, out: work/s${i}.txt } }`;
  });
  return `stages:\n${(backwards ? lines.reverse() : lines).join("\n")}\n`;
}

/** What the stages write, worked out by hand. */
function expected({ stages, raw }: Flow): string[] {
  const made: string[] = [];
  stages.forEach(({ inputs, suffix, times }, i) => {
    const from = [...new Set(inputs.map((input) => sourceOf(input, i)))];
    const text = from.map((path) => {
      const number = Number(/\d+/.exec(path)![0]);
      return path.startsWith("raw") ? raw[number] : made[number];
    });
    made.push((text.join("") + suffix).repeat(times));
  });
  return made;
}

function put(it: Project, wanted: Flow, backwards: boolean): void {
  it.write("flow.yaml", yamlOf(wanted, backwards));
  wanted.raw.forEach((text, i) => {
    if (!it.has(`raw${i}.txt`) || it.read(`raw${i}.txt`) !== text) it.write(`raw${i}.txt`, text);
  });
}

test("whatever changes between runs, outputs are as if all had run from the start, and then all is fresh", async () => {
  const it = project("stages: {}\n");
  await fc.assert(
    fc.asyncProperty(flow, fc.boolean(), fc.integer({ min: 1, max: 3 }), async (wanted, backwards, jobs) => {
      put(it, wanted, backwards);
      await it.run({ jobs });
      const made = wanted.stages.map((_, i) => it.read(`work/s${i}.txt`));
      expect(made).toEqual(expected(wanted));
      expect(new Set(Object.values(await it.states({ frozen: true })))).toEqual(new Set(["fresh"]));
    }),
    { numRuns: 25, seed: 7 },
  );
});
