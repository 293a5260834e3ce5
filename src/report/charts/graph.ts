import { text } from "../escape.js";
import type { Drawn } from "./draw.js";
import { shortened, widthOf } from "./look.js";

/** What was made from what. Nodes come after all that they were made from. */
export interface Graph {
  nodes: GraphNode[];
  /** From the one that was read to the one that read it, by id. */
  edges: [from: string, to: string][];
}

export interface GraphNode {
  id: string;
  label: string;
  /** A second, smaller line. */
  detail: string;
  /** `file`: was there before anything ran. */
  kind: "file" | "stage";
  tone?: "bad";
  /** What it says when it is pointed at. */
  tip: string;
}

const box = { height: 46, gapX: 14, gapY: 40, most: 168 };

/**
 * Draws a graph from top to bottom: a row for each distance from what was there first, nodes of a row near
 * those that they were made from. Sugiyama, Tagawa & Toda (1981), IEEE Trans. SMC 11(2), with the
 * barycentre of the neighbours as the order.
 */
export function drawGraph({ nodes, edges }: Graph, width: number): Drawn {
  const perRow = Math.max(2, Math.floor((width + box.gapX) / (width < 500 ? 112 : 122)));
  const rows = wrapped(ordered(layersOf(nodes, edges), edges), perRow);
  const place = new Map<string, { x: number; y: number; w: number }>();
  rows.forEach((row, r) => {
    const w = Math.min(box.most, (width - box.gapX * (row.length - 1)) / row.length);
    const left = (width - row.length * w - box.gapX * (row.length - 1)) / 2;
    row.forEach((id, i) =>
      place.set(id, { x: left + i * (w + box.gapX), y: 4 + r * (box.height + box.gapY), w }),
    );
  });
  const height = 8 + rows.length * (box.height + box.gapY) - box.gapY;
  const lines = edges.map(([from, to]) => {
    const [a, b] = [place.get(from)!, place.get(to)!];
    const [x1, y1, x2, y2] = [a.x + a.w / 2, a.y + box.height, b.x + b.w / 2, b.y - 1].map(Math.round);
    const bend = Math.round((y2 - y1) / 2);
    return `M${x1} ${y1}C${x1} ${y1 + bend} ${x2} ${y2 - bend} ${x2} ${y2}`;
  });
  const boxes = nodes.map((node) => {
    const { x, y, w } = place.get(node.id)!;
    // A long name is set smaller before it is cut.
    const large = widthOf(node.label) * 8 <= w - 14;
    const letters = Math.floor((w - 14) / (large ? 8 : 7));
    const stroke = node.tone === "bad" ? "second" : node.kind === "file" ? "quiet" : "mark";
    const shape = `<rect x="${round(x)}" y="${y}" width="${round(w)}" height="${box.height}" rx="${node.kind === "file" ? 23 : 8}" fill="var(--page)" stroke="var(--${stroke})" stroke-width="${node.tone === "bad" ? 2.5 : 1.5}"${node.kind === "file" ? ' stroke-dasharray="4 3"' : ""}/>`;
    const line = (words: string, dy: number, size: number, colour: string, weight: number): string =>
      `<text x="${round(x + w / 2)}" y="${y + dy}" text-anchor="middle" font-size="${size}" font-weight="${weight}" fill="var(--${colour})">${text(words)}</text>`;
    return (
      shape +
      line(endOf(node.label, letters), 20, large ? 12.5 : 11, "ink", 600) +
      line(shortened(node.detail, Math.floor((w - 12) / 6.5)), 36, 11, "quiet", 400)
    );
  });
  return {
    svg: `<path d="${lines.join("")}" fill="none" stroke="var(--quiet)" stroke-opacity="0.55" stroke-width="1.5"/>${boxes.join("")}`,
    width,
    height,
    at: nodes.map(({ id }): [number, number] => {
      const { x, y, w } = place.get(id)!;
      return [Math.round(x + w / 2), y + 6];
    }),
    along: "xy",
  };
}

const round = (value: number): number => Math.round(value * 10) / 10;

/** Of a path that is too long its end, which tells more. */
function endOf(words: string, letters: number): string {
  if (widthOf(words) <= letters || !words.includes("/")) return shortened(words, letters);
  return `…${[...words].slice(-(letters - 1)).join("")}`;
}

/** Nodes by their longest distance from a node that was made from nothing. */
function layersOf(nodes: readonly GraphNode[], edges: readonly [string, string][]): string[][] {
  const layer = new Map(nodes.map(({ id }) => [id, 0]));
  const after = new Map<string, string[]>();
  for (const [from, to] of edges) after.set(from, [...(after.get(from) ?? []), to]);
  for (const { id } of nodes)
    for (const to of after.get(id) ?? []) layer.set(to, Math.max(layer.get(to)!, layer.get(id)! + 1));
  // What was there first stands right above what reads it first.
  for (const { id, kind } of nodes)
    if (kind === "file")
      layer.set(id, Math.min(...(after.get(id) ?? [id]).map((to) => layer.get(to)!), 99) - 1);
  const layers: string[][] = [];
  const least = Math.min(0, ...layer.values());
  for (const { id } of nodes) (layers[layer.get(id)! - least] ??= []).push(id);
  return layers.filter((row) => row !== undefined);
}

/** Rows in turn, downwards by what is above and upwards by what is below; the order with the fewest crossings stays. */
function ordered(layers: string[][], edges: readonly [string, string][]): string[][] {
  const above = new Map<string, string[]>();
  const below = new Map<string, string[]>();
  for (const [from, to] of edges) {
    below.set(from, [...(below.get(from) ?? []), to]);
    above.set(to, [...(above.get(to) ?? []), from]);
  }
  let best = layers;
  let least = crossings(layers, edges);
  for (let sweep = 0; sweep < 8; sweep++) {
    const down = sweep % 2 === 0;
    const next = layers.map((row) => [...row]);
    const rows = down ? next : [...next].reverse();
    for (const row of rows) {
      const places = placesOf(next);
      const near = (id: string): string[] => (down ? above : below).get(id) ?? [];
      const wanted = new Map(
        row.map((id) => [
          id,
          near(id).length === 0
            ? places.get(id)!
            : near(id).reduce((sum, one) => sum + places.get(one)!, 0) / near(id).length,
        ]),
      );
      row.sort((a, b) => wanted.get(a)! - wanted.get(b)! || places.get(a)! - places.get(b)!);
    }
    layers = next;
    const crossed = crossings(layers, edges);
    if (crossed < least) [best, least] = [layers, crossed];
  }
  return best;
}

/** Where nodes are in their rows, 0 to 1. */
const placesOf = (layers: readonly string[][]): Map<string, number> =>
  new Map(layers.flatMap((row) => row.map((id, i) => [id, (i + 0.5) / row.length] as const)));

function crossings(layers: readonly string[][], edges: readonly [string, string][]): number {
  const places = placesOf(layers);
  const rowOf = new Map(layers.flatMap((row, r) => row.map((id) => [id, r] as const)));
  let found = 0;
  edges.forEach(([a, b], i) => {
    for (const [c, d] of edges.slice(i + 1)) {
      if (rowOf.get(a)! >= rowOf.get(d)! || rowOf.get(c)! >= rowOf.get(b)!) continue;
      if ((places.get(a)! - places.get(c)!) * (places.get(b)! - places.get(d)!) < 0) found++;
    }
  });
  return found;
}

/** Rows that are too long go on below. */
function wrapped(layers: readonly string[][], perRow: number): string[][] {
  return layers.flatMap((row) => {
    const parts = Math.ceil(row.length / perRow);
    const size = Math.ceil(row.length / parts);
    return Array.from({ length: parts }, (_, i) => row.slice(i * size, (i + 1) * size));
  });
}
