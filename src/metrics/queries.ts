import { mix } from "../core/rng.js";
import { ratio, taken, type Measure, type MetricInfo } from "./metric.js";
import { accuracyPerUser, rankingMetrics } from "./ranking.js";

const binary = ["precision", "recall", "map", "mrr", "hit_rate"];

/** Metrics of rows that are ranked within queries: relevant are rows of a relevance above 0. */
export const queryMetrics: MetricInfo[] = [
  {
    name: "ndcg@k",
    summary:
      "sum of (2^relevance - 1) / log2(rank + 1) over the first k rows, divided by the best; mean over queries",
    source: "Burges et al. (2005), ICML, section 7; Järvelin & Kekäläinen (2002), ACM TOIS 20:422-446",
    better: "higher",
    undefinedWhen: "no query has a relevant row",
  },
  ...rankingMetrics
    .filter(({ name }) => binary.includes(name.replace("@k", "")))
    .map((info) => ({
      ...info,
      summary: info.summary
        .replace("the user's relevant items", "the query's relevant rows")
        .replace("all relevant items of the user", "all relevant rows of the query")
        .replace(/also where fewer were recommended/, "also where the query has fewer rows")
        .replace(/users/g, "queries"),
      undefinedWhen: "no query has a relevant row",
    })),
];

/** Rows of queries with what they are worth and how they were scored. */
export interface QueryRows {
  /** Rows of query q: `rows[starts[q]]` to `rows[starts[q + 1] - 1]`. Every query has a relevant one. */
  starts: Int32Array;
  rows: Int32Array;
  /** 0 and more. */
  relevance: Float64Array;
  score: Float64Array;
}

/** The same for some of the queries. */
export function querySubset(data: QueryRows, queries: Uint32Array): QueryRows {
  const starts = new Int32Array(queries.length + 1);
  queries.forEach((q, i) => (starts[i + 1] = starts[i] + data.starts[q + 1] - data.starts[q]));
  const rows = new Int32Array(starts[queries.length]);
  queries.forEach((q, i) => rows.set(data.rows.subarray(data.starts[q], data.starts[q + 1]), starts[i]));
  return { ...data, starts, rows };
}

/** All metrics at every cut-off; units are queries. Rows of equal scores stand in an order that a hash of their number draws. */
export function measureQueries(data: QueryRows, cuts: readonly number[]): Measure {
  const queries = data.starts.length - 1;
  const ordered = data.rows.slice();
  const relevant = new Int32Array(queries);
  for (let q = 0; q < queries; q++) {
    const own = ordered.subarray(data.starts[q], data.starts[q + 1]);
    own.sort((a, b) => data.score[b] - data.score[a] || mix(a) - mix(b) || a - b);
    for (const row of own) if (data.relevance[row] > 0) relevant[q]++;
  }
  const lists = {
    users: queries,
    relevant,
    listStarts: data.starts,
    listItem: ordered,
    listHit: Uint8Array.from(ordered, (row) => (data.relevance[row] > 0 ? 1 : 0)),
    items: 0,
  };
  const gains = Float64Array.from(taken(data.relevance, Uint32Array.from(ordered)), (own) => 2 ** own - 1);
  const perQuery = cuts.flatMap((k) =>
    accuracyPerUser(lists, k).map(({ name, values }) =>
      name.startsWith("ndcg") ? { name, values: ndcgPerQuery(data.starts, gains, k) } : { name, values },
    ),
  );
  return {
    family: queryMetrics,
    names: perQuery.map(({ name }) => name),
    units: queries,
    cost: perQuery.length,
    at: (weights) =>
      Float64Array.from(perQuery, ({ values }) => {
        let sum = 0;
        let total = 0;
        for (let q = 0; q < queries; q++) {
          sum += weights[q] * values[q];
          total += weights[q];
        }
        return ratio(sum, total);
      }),
  };
}

function ndcgPerQuery(starts: Int32Array, gains: Float64Array, k: number): Float64Array {
  const dcg = (of: Float64Array): number => {
    let sum = 0;
    for (let place = 0; place < Math.min(k, of.length); place++) sum += of[place] / Math.log2(place + 2);
    return sum;
  };
  return Float64Array.from({ length: starts.length - 1 }, (_, q) => {
    const own = gains.subarray(starts[q], starts[q + 1]);
    return dcg(own) / dcg(own.slice().sort().reverse());
  });
}
