import { version } from "../../../core/version.js";
import type { TreeColumn, TreeEnsemble, TreeModel } from "../trees.js";
import { levelCounts, levelsLeft, type Passport } from "./foreign.js";
import { bytes, integer, integers, message, type Message } from "./protobuf.js";

/**
 * The model as ONNX (operators of opset 18, trees of ai.onnx.ml opset 5), in float64 throughout.
 *
 * Every feature is an input of its own, named as in training, of shape [rows, 1]: numbers as double (NaN is
 * missing), texts as string ("" is missing; the levels stand in the model). Outputs: `label` and
 * `probabilities` (rows x classes, in the order of the classes), or `prediction` (rows x outputs).
 */
export function writeOnnx(model: TreeModel, passport: Passport): Uint8Array {
  const graph = new Graph(model.columns.map(({ name }) => name));
  const columns = model.columns.map((column, c) => inputOf(graph, column, levelCounts(model)[c] > 0));
  const rows = graph.node("Concat", columns, [attribute.int("axis", 1)]);
  const raw = graph.node("TreeEnsemble", [rows], treeAttributes(model), ml);
  const base = graph.constant(doubles([1, model.trees.outputs], model.trees.base));
  const scores = graph.node("Add", [raw, base]);
  const links = { identity: undefined, logistic: "Sigmoid", exp: "Exp", softmax: "Softmax" } as const;
  const link = links[model.link];
  const linked = link ? graph.node(link, [scores]) : scores;
  if (passport.task === "classification" && passport.classes) classify(graph, linked, model, passport);
  else graph.output("prediction", linked, type.double, model.trees.outputs);
  return message(
    integer(1, 9),
    bytes(2, "shopai"),
    bytes(3, version),
    bytes(7, graph.written()),
    bytes(8, message(bytes(1, ""), integer(2, 18))),
    bytes(8, message(bytes(1, ml), integer(2, 5))),
  );
}

const ml = "ai.onnx.ml";
const type = { uint8: 2, int64: 7, string: 8, double: 11 } as const;

/** Class probabilities and the name of the likeliest class. */
function classify(graph: Graph, scores: string, { trees }: TreeModel, { classes, positive }: Passport): void {
  let probabilities = scores;
  if (trees.outputs === 1) {
    const other = graph.node("Sub", [graph.constant(doubles([1, 1], [1])), scores]);
    const both = positive === classes![0] ? [scores, other] : [other, scores];
    probabilities = graph.node("Concat", both, [attribute.int("axis", 1)]);
  }
  const best = graph.node(
    "ArgMax",
    [probabilities],
    [attribute.int("axis", 1), attribute.int("keepdims", 0)],
  );
  const label = graph.node("Gather", [graph.constant(strings(classes!)), best]);
  graph.output("label", label, type.string);
  graph.output("probabilities", probabilities, type.double, classes!.length);
}

/** Missing values of categorical columns are a level of their own: sets say where it goes. */
const missingLevel = -1;

/** A column of the trees' rows from the input of its feature. */
function inputOf(graph: Graph, column: TreeColumn, codes: boolean): string {
  if (column.kind === "number") {
    const input = graph.input(column.name, type.double);
    if (!codes) return input;
    const level = graph.constant(doubles([1, 1], [missingLevel]));
    return graph.node("Where", [graph.node("IsNaN", [input]), level, input]);
  }
  const values = column.kind === "category" ? column.levels.map((_, level) => level) : column.values;
  const encode = (name: string, keys: readonly string[], numbers: readonly number[], other: number): string =>
    graph.node(
      "LabelEncoder",
      [name],
      [
        attribute.tensor("keys_tensor", strings(keys)),
        attribute.tensor("values_tensor", doubles([keys.length], numbers)),
        attribute.tensor("default_tensor", doubles([1], [other])),
      ],
      ml,
    );
  const input = graph.input(column.name, type.string);
  if (column.kind === "category") return encode(input, column.levels, values, missingLevel);
  // A missing text is no unseen level: it stays missing.
  return encode(
    input,
    ["", ...column.levels.filter(Boolean)],
    [NaN, ...values.filter((_, i) => column.levels[i])],
    column.other,
  );
}

/** Modes of nodes: less than, member of a set. */
const mode = { less: 1, member: 6 };

function treeAttributes(model: TreeModel): Message[] {
  const { trees, columns } = model;
  const inner: number[] = [];
  const leaves: number[] = [];
  const place = new Int32Array(trees.feature.length);
  trees.feature.forEach((column, n) => {
    place[n] = (column < 0 ? leaves.push(n) : inner.push(n)) - 1;
  });
  const leaf = (n: number): number => (trees.feature[n] < 0 ? 1 : 0);
  const set = (n: number): boolean => trees.catStart[n] >= 0;
  const target = new Int32Array(trees.feature.length);
  trees.output.forEach((output, t) => target.fill(output, trees.starts[t], trees.starts[t + 1]));
  const nodes = {
    featureids: inner.map((n) => trees.feature[n]),
    modes: inner.map((n) => (set(n) ? mode.member : mode.less)),
    splits: inner.map((n) => (set(n) ? 0 : trees.threshold[n])),
    truenodeids: inner.map((n) => place[trees.left[n]]),
    trueleafs: inner.map((n) => leaf(trees.left[n])),
    falsenodeids: inner.map((n) => place[trees.right[n]]),
    falseleafs: inner.map((n) => leaf(trees.right[n])),
    missing: inner.map((n) => (set(n) ? 0 : trees.missingLeft[n])),
  };
  const roots: number[] = [];
  for (let t = 0; t < trees.output.length; t++) {
    const root = trees.starts[t];
    roots.push(leaf(root) ? alone(nodes, place[root]) : place[root]);
  }
  const leafWeights = leaves.map((n) => trees.value[n]);
  const leafTargets = leaves.map((n) => target[n]);
  // An operator without trees is none.
  if (roots.length === 0) {
    leafWeights.push(0);
    leafTargets.push(0);
    roots.push(alone(nodes, 0));
  }
  const count = nodes.modes.length;
  const members = inner.filter(set).flatMap((n) => [...membersOf(trees, n, columns), NaN]);
  return [
    attribute.int("aggregate_function", 1),
    attribute.int("post_transform", 0),
    attribute.int("n_targets", trees.outputs),
    attribute.ints("tree_roots", roots),
    attribute.ints("nodes_featureids", nodes.featureids),
    attribute.tensor("nodes_modes", tensor(type.uint8, [count], Uint8Array.from(nodes.modes))),
    attribute.tensor("nodes_splits", doubles([count], nodes.splits)),
    attribute.ints("nodes_truenodeids", nodes.truenodeids),
    attribute.ints("nodes_trueleafs", nodes.trueleafs),
    attribute.ints("nodes_falsenodeids", nodes.falsenodeids),
    attribute.ints("nodes_falseleafs", nodes.falseleafs),
    attribute.ints("nodes_missing_value_tracks_true", nodes.missing),
    ...(members.length > 0
      ? [attribute.tensor("membership_values", doubles([members.length], members))]
      : []),
    attribute.ints("leaf_targetids", leafTargets),
    attribute.tensor("leaf_weights", doubles([leafWeights.length], leafWeights)),
  ];
}

/** A tree of one leaf: a node that leads to it both ways. @returns the node */
function alone(
  nodes: Record<
    | "featureids"
    | "modes"
    | "splits"
    | "truenodeids"
    | "trueleafs"
    | "falsenodeids"
    | "falseleafs"
    | "missing",
    number[]
  >,
  leaf: number,
): number {
  nodes.featureids.push(0);
  nodes.splits.push(0);
  nodes.truenodeids.push(leaf);
  nodes.trueleafs.push(1);
  nodes.falsenodeids.push(leaf);
  nodes.falseleafs.push(1);
  nodes.missing.push(0);
  return nodes.modes.push(mode.less) - 1;
}

/** Levels that go left; a set may not be empty. */
function membersOf(trees: TreeEnsemble, node: number, columns: readonly TreeColumn[]): number[] {
  const column = columns[trees.feature[node]];
  const known = column.kind === "category" ? column.levels.length : Infinity;
  const levels = levelsLeft(trees, node).filter((level) => level < known);
  if (trees.missingLeft[node]) levels.push(missingLevel);
  return levels.length > 0 ? levels : [missingLevel - 1];
}

/** Gathers the nodes of an ONNX graph under names that no feature has. */
class Graph {
  private readonly nodes: Message[] = [];
  private readonly inputs = new Map<string, Message>();
  private readonly outputs: Message[] = [];
  private readonly taken: Set<string>;

  constructor(features: readonly string[]) {
    this.taken = new Set(features);
  }

  private fresh(wanted: string): string {
    let name = wanted;
    for (let i = 2; this.taken.has(name); i++) name = `${wanted}_${i}`;
    this.taken.add(name);
    return name;
  }

  /** @returns the name of its output */
  node(
    operator: string,
    inputs: readonly string[],
    attributes: readonly Message[] = [],
    domain = "",
  ): string {
    const output = this.fresh(`shopai_${operator.toLowerCase()}`);
    this.add(operator, inputs, output, attributes, domain);
    return output;
  }

  private add(
    operator: string,
    inputs: readonly string[],
    output: string,
    attributes: readonly Message[],
    domain: string,
  ): void {
    this.nodes.push(
      message(
        ...inputs.map((name) => bytes(1, name)),
        bytes(2, output),
        bytes(3, output),
        bytes(4, operator),
        ...attributes.map((about) => bytes(5, about)),
        bytes(7, domain),
      ),
    );
  }

  constant(value: Message): string {
    return this.node("Constant", [], [attribute.tensor("value", value)]);
  }

  /** Several columns may be made of one feature: it is an input once. */
  input(name: string, kind: number): string {
    this.inputs.set(name, valueInfo(name, kind, [undefined, 1]));
    return name;
  }

  output(wanted: string, from: string, kind: number, width?: number): void {
    const name = this.fresh(wanted);
    this.add("Identity", [from], name, [], "");
    this.outputs.push(valueInfo(name, kind, width === undefined ? [undefined] : [undefined, width]));
  }

  written(): Message {
    return message(
      ...this.nodes.map((node) => bytes(1, node)),
      bytes(2, "shopai"),
      ...[...this.inputs.values()].map((input) => bytes(11, input)),
      ...this.outputs.map((output) => bytes(12, output)),
    );
  }
}

/** @param dims undefined for the number of rows */
function valueInfo(name: string, kind: number, dims: readonly (number | undefined)[]): Message {
  const shape = dims.map((dim) => bytes(1, dim === undefined ? bytes(2, "rows") : integer(1, dim)));
  return message(bytes(1, name), bytes(2, bytes(1, message(integer(1, kind), bytes(2, message(...shape))))));
}

function tensor(kind: number, dims: readonly number[], raw: Uint8Array): Message {
  return message(integers(1, dims), integer(2, kind), bytes(9, raw));
}

function doubles(dims: readonly number[], values: Iterable<number>): Message {
  return tensor(type.double, dims, new Uint8Array(Float64Array.from(values).buffer));
}

function strings(values: readonly string[]): Message {
  return message(
    integers(1, [values.length]),
    integer(2, type.string),
    ...values.map((value) => bytes(6, value)),
  );
}

const attribute = {
  int: (name: string, value: number): Message => message(bytes(1, name), integer(3, value), integer(20, 2)),
  ints: (name: string, values: Iterable<number>): Message =>
    message(bytes(1, name), integers(8, values), integer(20, 7)),
  tensor: (name: string, value: Message): Message => message(bytes(1, name), bytes(5, value), integer(20, 4)),
};
