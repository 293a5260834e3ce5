import { ShopaiError } from "../../core/errors.js";
import { causalSoftmax, dense, dropout, embed, layerNorm } from "../../tensor/ops.js";
import { tf, type Tensor } from "../../tensor/tf.js";
import type { Weights } from "../../tensor/weights.js";
import type { Encoder } from "./encoder.js";
import type { SequentialParams } from "./sequential.js";

export interface SasrecParams extends SequentialParams {
  blocks: number;
  heads: number;
}

/** Kang & McAuley (2018), section III, with the norm before every part and after the last. */
export function sasrecEncoder({ factors, blocks, heads, length, dropout: rate }: SasrecParams): Encoder {
  if (factors % heads !== 0)
    throw new ShopaiError("usage", `factors must be a multiple of heads, got ${factors} and ${heads}`, {
      try: `--param factors=${Math.ceil(factors / heads) * heads}`,
    });
  const wide = factors / heads;
  return {
    declare(weights) {
      weights.add("places", [length, factors], { normal: 0.02 });
      for (let b = 0; b < blocks; b++) {
        for (const part of ["query", "key", "value"])
          weights.add(`${b}/${part}`, [factors, factors], "glorot");
        for (const part of ["inner", "outer"]) {
          weights.add(`${b}/${part}`, [factors, factors], "glorot");
          weights.add(`${b}/${part}-bias`, [factors], "zeros");
        }
        declareNorm(weights, `${b}/attention-norm`);
        declareNorm(weights, `${b}/forward-norm`);
      }
      declareNorm(weights, "norm");
    },
    encode(weights, vectors, batch, seed) {
      let draws = 0;
      const dropped = (x: Tensor): Tensor =>
        seed === undefined ? x : dropout(x, rate, (seed + Math.imul(++draws, 0x9e3779b9)) | 0);
      const places = tf.tensor2d(batch.places, [batch.count, batch.length], "int32");
      let x = dropped(vectors.mul(Math.sqrt(factors)).add(embed(weights.get("places"), places)));
      for (let b = 0; b < blocks; b++) {
        const query = norm(weights, `${b}/attention-norm`, x);
        const attended = attention(weights, b, query, x, dropped);
        x = query.add(attended);
        const forward = norm(weights, `${b}/forward-norm`, x);
        const inner = dense(forward, weights.get(`${b}/inner`), weights.get(`${b}/inner-bias`)).relu();
        const outer = dense(dropped(inner), weights.get(`${b}/outer`), weights.get(`${b}/outer-bias`));
        x = forward.add(dropped(outer));
      }
      return norm(weights, "norm", x);
    },
  };

  function declareNorm(weights: Weights, name: string): void {
    weights.add(`${name}-scale`, [factors], "ones");
    weights.add(`${name}-shift`, [factors], "zeros");
  }

  function norm(weights: Weights, name: string, x: Tensor): Tensor {
    return layerNorm(x, weights.get(`${name}-scale`), weights.get(`${name}-shift`));
  }

  /** Every step looks at itself and those before it. */
  function attention(
    weights: Weights,
    b: number,
    from: Tensor,
    over: Tensor,
    dropped: (x: Tensor) => Tensor,
  ): Tensor {
    const [count, steps] = from.shape as [number, number];
    const query = parted(dense(from, weights.get(`${b}/query`)));
    const key = parted(dense(over, weights.get(`${b}/key`)));
    const value = parted(dense(over, weights.get(`${b}/value`)));
    const shares = causalSoftmax(tf.matMul(query, key, false, true), 1 / Math.sqrt(wide));
    return joined(tf.matMul(dropped(shares), value));

    /** [count, steps, factors] to [count * heads, steps, wide] and back. */
    function parted(x: Tensor): Tensor {
      if (heads === 1) return x;
      return x
        .reshape([count, steps, heads, wide])
        .transpose([0, 2, 1, 3])
        .reshape([count * heads, steps, wide]);
    }
    function joined(x: Tensor): Tensor {
      if (heads === 1) return x;
      return x.reshape([count, heads, steps, wide]).transpose([0, 2, 1, 3]).reshape([count, steps, factors]);
    }
  }
}
