import type { GateResult } from "./gates.js";

/**
 * Gates as a JUnit report, which CI systems show as tests: one case a gate, failed where it says no.
 *
 * @param suite what was measured: the model's path
 */
export function junitText(suite: string, results: readonly GateResult[]): string {
  const failures = results.filter(({ broken }) => broken !== undefined).length;
  const cases = results.map(({ gate, value, broken }) => {
    const name = `not (${gate.text})`;
    const head = `    <testcase classname="${escaped(suite)}" name="${escaped(name)}" time="0"`;
    if (broken === undefined)
      return `${head}>\n      <system-out>${escaped(`${gate.metric} = ${String(value)}`)}</system-out>\n    </testcase>`;
    return `${head}>\n      <failure message="${escaped(broken)}">${escaped(broken)}</failure>\n    </testcase>`;
  });
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites tests="${results.length}" failures="${failures}">`,
    `  <testsuite name="${escaped(suite)}" tests="${results.length}" failures="${failures}" errors="0" skipped="0">`,
    ...cases,
    "  </testsuite>",
    "</testsuites>",
    "",
  ].join("\n");
}

const entities: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
const escaped = (text: string): string => text.replace(/[&<>"]/g, (character) => entities[character]);
