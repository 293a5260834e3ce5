import { numberText } from "../numbers.js";

/** Colours stand in the SVG as variables of the page, so that light, dark and print each have their own. */
export const colours = {
  ink: "#a0a001",
  faint: "#a0a002",
  mark: "#a0a003",
  second: "#a0a004",
  quiet: "#a0a005",
  page: "#a0a006",
  third: "#a0a007",
};

export const label = { color: colours.quiet, fontSize: 12, fontFamily: "inherit" };
export const bare = { axisLine: { show: false }, axisTick: { show: false } };
export const silent = { silent: true, emphasis: { disabled: true } };

/** Name of an axis: of a vertical one on its top, so that nobody has to turn the head. */
export const axisName = { nameTextStyle: label, nameGap: 26 };

export function valueAxis(width: number) {
  return {
    type: "value",
    axisLabel: { ...label, formatter: tickText, hideOverlap: true },
    splitLine: { lineStyle: { color: colours.faint } },
    splitNumber: width < 500 ? 3 : 5,
    ...bare,
  };
}

/** Ticks are round numbers: no zeros after them. */
export function tickText(value: number): string {
  return numberText(value)
    .replace(/(\.\d*?)0+$/, "$1")
    .replace(/\.$/, "");
}

export const percentText = (value: number): string => `${tickText(Math.round(1000 * value) / 10)} %`;

/** A label that takes at most so many cells. */
export function shortened(text: string, longest: number): string {
  const flat = text.replace(/\s+/g, " ");
  if (widthOf(flat) <= longest) return flat;
  let kept = "";
  for (const letter of flat) {
    if (widthOf(kept) + widthOf(letter) > longest - 1) break;
    kept += letter;
  }
  return `${kept}…`;
}

/** Letters of a text, wide ones (Chinese, emoji) as two. */
export function widthOf(text: string): number {
  return [...text].reduce((width, letter) => width + (letter.codePointAt(0)! > 0x2e80 ? 2 : 1), 0);
}
