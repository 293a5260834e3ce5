/** A place where stock can be kept. */
export interface ServiceNode {
  name: string;
  /** Names of the nodes that it delivers to. */
  to: readonly string[];
  /** Whole periods that its own work takes. */
  time: number;
  /** Money per unit and period in stock. */
  holding: number;
  /** Periods that its outer supplier takes to answer; none: at once. */
  supplierTime?: number;
  /** Most periods that its outer customers may wait; only for nodes with customers. */
  customerTime?: number;
  /** Deviation of the demand of its outer customers, units per period. */
  deviation?: number;
}

export interface ServicePlan {
  /** Periods after which each node promises to deliver. */
  promises: Map<string, number>;
  /** Units of safety stock. */
  stocks: Map<string, number>;
  /** Money per period. */
  cost: number;
}

/**
 * Where to keep safety stock in a tree of stocks that promise each other delivery times.
 *
 * Graves & Willems (2000), Optimizing strategic safety stock placement in supply chains, Manufacturing & Service
 * Operations Management 2(1):68-83: dynamic programming from the leaves of the tree inwards. Demand within t periods is
 * bounded by its mean plus `bound` times deviation times √t (independent demands of several customers pool).
 *
 * @param nodes a tree, whichever way its arcs point
 * @param bound standard deviations of demand that stock must meet
 * @throws RangeError when the arcs do not make a tree
 */
export function placeSafetyStock(nodes: readonly ServiceNode[], bound: number): ServicePlan {
  const tree = treeOf(nodes);
  const horizon = longestTime(tree) + Math.max(0, ...nodes.map(({ supplierTime }) => supplierTime ?? 0)) + 1;
  const deviations = new Map(nodes.map((node) => [node.name, Math.sqrt(variance(node, tree))]));
  /** Cost of the part of the tree behind a node, by its promise to (or from) the node that it hangs on. */
  const behind = new Map<string, { costs: Float64Array; choice: Int32Array }>();

  const own = (node: ServiceNode, arrives: number, promises: number): number => {
    const span = arrives + node.time - promises;
    if (span < 0 || arrives < (node.supplierTime ?? 0) || promises > (node.customerTime ?? Infinity))
      return Infinity;
    return node.holding * bound * deviations.get(node.name)! * Math.sqrt(span);
  };
  /** Own cost and that of all parts behind the node but one. */
  const costOf = (node: ServiceNode, arrives: number, promises: number): number => {
    let cost = own(node, arrives, promises);
    for (const name of tree.suppliers(node))
      if (cost < Infinity) cost += least(behind.get(name), 0, arrives).cost;
    for (const name of node.to)
      if (cost < Infinity) cost += least(behind.get(name), promises, horizon - 1).cost;
    return cost;
  };

  for (const { node, towards } of tree.inwards) {
    const isSupplier = towards !== undefined && node.to.includes(towards);
    const costs = new Float64Array(horizon).fill(Infinity);
    const choice = new Int32Array(horizon);
    for (let shared = 0; shared < horizon; shared++)
      for (let other = 0; other < horizon; other++) {
        const cost = isSupplier ? costOf(node, other, shared) : costOf(node, shared, other);
        if (cost < costs[shared]) [costs[shared], choice[shared]] = [cost, other];
      }
    behind.set(node.name, { costs, choice });
  }
  return backwards(tree, behind, deviations, bound, horizon);
}

interface Tree {
  node(name: string): ServiceNode;
  suppliers(node: ServiceNode): string[];
  /** Leaves first; each with the neighbour that is still there when it goes. */
  inwards: { node: ServiceNode; towards?: string }[];
}

type Parts = ReadonlyMap<string, { costs: Float64Array; choice: Int32Array }>;

/** The least of a part's costs within a range; a part that is not worked out yet costs nothing. */
function least(
  part: { costs: Float64Array } | undefined,
  from: number,
  to: number,
): { cost: number; at: number } {
  if (!part) return { cost: 0, at: from };
  let at = from;
  for (let i = from; i <= to; i++) if (part.costs[i] < part.costs[at]) at = i;
  return { cost: part.costs[at], at };
}

/** Follows the choices from the last node outwards. */
function backwards(
  tree: Tree,
  behind: Parts,
  deviations: ReadonlyMap<string, number>,
  bound: number,
  horizon: number,
): ServicePlan {
  const arrives = new Map<string, number>();
  const promises = new Map<string, number>();
  const order = [...tree.inwards].reverse();
  const root = order[0].node;
  // The root hangs on nothing: its table is by the time at which its goods arrive.
  const start = least(behind.get(root.name), 0, horizon - 1);
  arrives.set(root.name, start.at);
  promises.set(root.name, behind.get(root.name)!.choice[start.at]);
  for (const { node, towards } of order.slice(1)) {
    const part = behind.get(node.name)!;
    if (node.to.includes(towards!)) {
      const { at } = least(part, 0, arrives.get(towards!)!);
      promises.set(node.name, at);
      arrives.set(node.name, part.choice[at]);
    } else {
      const { at } = least(part, promises.get(towards!)!, horizon - 1);
      arrives.set(node.name, at);
      promises.set(node.name, part.choice[at]);
    }
  }
  const stocks = new Map(
    order.map(({ node }) => {
      const span = arrives.get(node.name)! + node.time - promises.get(node.name)!;
      return [node.name, bound * deviations.get(node.name)! * Math.sqrt(span)];
    }),
  );
  return { promises, stocks, cost: start.cost };
}

function treeOf(nodes: readonly ServiceNode[]): Tree {
  const byName = new Map(nodes.map((node) => [node.name, node]));
  const suppliers = new Map<string, string[]>(nodes.map(({ name }) => [name, []]));
  for (const { name, to } of nodes) for (const next of to) suppliers.get(next)?.push(name);
  const near = new Map(nodes.map(({ name, to }) => [name, new Set([...to, ...suppliers.get(name)!])]));
  const inwards: Tree["inwards"] = [];
  for (let leaf = findLeaf(near); leaf !== undefined; leaf = findLeaf(near)) {
    const [towards] = near.get(leaf)!;
    inwards.push({ node: byName.get(leaf)!, towards });
    near.delete(leaf);
    if (towards !== undefined) near.get(towards)!.delete(leaf);
  }
  const arcs = nodes.reduce((sum, { to }) => sum + to.length, 0);
  if (
    arcs !== nodes.length - 1 ||
    inwards.length < nodes.length ||
    inwards.filter(({ towards }) => towards === undefined).length !== 1
  )
    throw new RangeError("the stocks and their deliveries do not make one tree");
  return { node: (name) => byName.get(name)!, suppliers: ({ name }) => suppliers.get(name)!, inwards };
}

const findLeaf = (near: ReadonlyMap<string, ReadonlySet<string>>): string | undefined =>
  [...near].find(([, names]) => names.size <= 1)?.[0];

/** Variance of what all customers behind a node want in a period. */
function variance(node: ServiceNode, tree: Tree): number {
  return node.to.reduce((sum, name) => sum + variance(tree.node(name), tree), (node.deviation ?? 0) ** 2);
}

/** Periods that the slowest way through the tree takes. */
function longestTime(tree: Tree): number {
  const from = (node: ServiceNode): number =>
    node.time + Math.max(0, ...node.to.map((name) => from(tree.node(name))));
  return Math.max(...tree.inwards.map(({ node }) => from(node)));
}
