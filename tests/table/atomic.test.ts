import { existsSync, linkSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { writeAtomically } from "../../src/table/atomic.js";
import { temporaryFolder } from "../support/temporary.js";

const folder = temporaryFolder();

test("a file that cannot be finished leaves the old one and nothing else", async () => {
  const path = join(folder, "a", "b", "t.txt");
  await writeAtomically(path, async (temporary) => writeFileSync(temporary, "old"));
  const failing = writeAtomically(path, async (temporary) => {
    writeFileSync(temporary, "ne");
    throw new Error("torn");
  });
  await expect(failing).rejects.toThrow("torn");
  expect(readFileSync(path, "utf8")).toBe("old");
  expect(readdirSync(join(folder, "a", "b"))).toEqual(["t.txt"]);
});

test("a folder replaces the old one whole", async () => {
  const path = join(folder, "model");
  for (const name of ["one", "two"])
    await writeAtomically(path, async (temporary) => {
      mkdirSync(temporary);
      writeFileSync(join(temporary, name), name);
    });
  expect(readdirSync(path)).toEqual(["two"]);
  expect(readdirSync(folder).filter((name) => name.startsWith("."))).toEqual([]);
});

test("a file where the folder should be is the user's to mend", async () => {
  const file = join(folder, "plain");
  writeFileSync(file, "");
  await expect(writeAtomically(join(file, "t.txt"), async () => undefined)).rejects.toMatchObject({
    kind: "data",
    message: expect.stringContaining("has a file where its folder should be"),
  });
});

test.skipIf(!existsSync("/proc/self"))(
  "a folder that cannot be made (/proc) is refused at once",
  async () => {
    await expect(writeAtomically("/proc/none/t.txt", async () => undefined)).rejects.toMatchObject({
      kind: "data",
      message: expect.stringContaining("cannot be made"),
    });
  },
);

test("a link to the file that stands there already leaves no temporary behind", async () => {
  const links = join(folder, "links");
  mkdirSync(links);
  const [kept, place] = [join(links, "kept"), join(links, "place")];
  writeFileSync(kept, "x");
  linkSync(kept, place);
  await writeAtomically(place, async (temporary) => linkSync(kept, temporary));
  expect(readdirSync(links).sort()).toEqual(["kept", "place"]);
});
