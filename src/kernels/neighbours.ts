import type { Points } from "./lloyd.js";

/** Points in a box are searched one by one from so few on. */
const leafSize = 24;
/** Beyond so many dimensions boxes shut nothing out, and every point is looked at. */
const mostDimensions = 16;

/** Finds the points nearest to another. */
export interface NeighbourIndex {
  /**
   * The k nearest points by Euclidean distance, nearest first; of equals the lower number.
   *
   * @param from     where the point that is asked about begins in `values`
   * @param except   number of a point that is left out, -1 for none
   * @param into     receives their numbers; its length is k
   * @param squared  receives the squares of the distances
   * @returns how many were found, at most k
   */
  nearest(
    values: Float64Array,
    from: number,
    except: number,
    into: Int32Array,
    squared: Float64Array,
  ): number;
}

/**
 * A tree of boxes over points (Bentley 1975; split at the median of the widest side, Friedman, Bentley &
 * Finkel 1977), or plain search where there are many dimensions.
 */
export function neighbourIndex({ rows, width, values }: Points): NeighbourIndex {
  const order = Int32Array.from({ length: rows }, (_, r) => r);
  const nodes: Node[] = [];
  build(0, rows);

  function build(from: number, to: number): number {
    const at = nodes.length;
    const node: Node = { from, to, axis: -1, cut: 0, left: -1, right: -1 };
    nodes.push(node);
    if (to - from <= leafSize || width > mostDimensions) return at;
    const [axis, spread] = widest(from, to);
    if (spread === 0) return at;
    const own = [...order.subarray(from, to)].sort(
      (a, b) => values[a * width + axis] - values[b * width + axis] || a - b,
    );
    order.set(own, from);
    const middle = from + ((to - from) >> 1);
    node.axis = axis;
    node.cut = values[order[middle] * width + axis];
    node.left = build(from, middle);
    node.right = build(middle, to);
    return at;
  }

  function widest(from: number, to: number): [axis: number, spread: number] {
    let best = 0;
    let most = -1;
    for (let c = 0; c < width; c++) {
      let low = Infinity;
      let high = -Infinity;
      for (let i = from; i < to; i++) {
        const value = values[order[i] * width + c];
        low = Math.min(low, value);
        high = Math.max(high, value);
      }
      if (high - low > most) [best, most] = [c, high - low];
    }
    return [best, most];
  }

  return {
    nearest(query, start, except, into, squared) {
      const k = into.length;
      let found = 0;
      const visit = (at: number): void => {
        const { from, to, axis, cut, left, right } = nodes[at];
        if (axis < 0) {
          for (let i = from; i < to; i++) consider(order[i]);
          return;
        }
        const gap = query[start + axis] - cut;
        visit(gap < 0 ? left : right);
        // Equal distances count too: the lower number may be on the other side.
        if (found < k || gap * gap <= squared[k - 1]) visit(gap < 0 ? right : left);
      };
      const consider = (point: number): void => {
        if (point === except) return;
        const bound = found < k ? Infinity : squared[k - 1];
        let distance = 0;
        for (let c = 0, p = point * width; c < width; c++) {
          const difference = query[start + c] - values[p + c];
          distance += difference * difference;
          if (distance > bound) return;
        }
        if (found === k && distance === bound && point > into[k - 1]) return;
        let place = found < k ? found++ : k - 1;
        while (
          place > 0 &&
          (squared[place - 1] > distance || (squared[place - 1] === distance && into[place - 1] > point))
        ) {
          squared[place] = squared[place - 1];
          into[place] = into[place - 1];
          place--;
        }
        squared[place] = distance;
        into[place] = point;
      };
      if (k > 0 && rows > 0) visit(0);
      return found;
    },
  };
}

interface Node {
  /** Places in `order`. */
  from: number;
  to: number;
  /** -1 for a leaf. */
  axis: number;
  cut: number;
  left: number;
  right: number;
}
