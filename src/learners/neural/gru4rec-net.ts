import { dense, dropout } from "../../tensor/ops.js";
import { tf, type Tensor } from "../../tensor/tf.js";
import type { Encoder } from "./encoder.js";
import type { SequentialParams } from "./sequential.js";

/** The first axis taken apart; tfjs has no gradient of that where it is 1 long. */
function steps(x: Tensor): Tensor[] {
  return x.shape[0] === 1 ? [x.reshape(x.shape.slice(1))] : tf.unstack(x);
}

const gates = ["reset", "update", "new"] as const;

/** Hidasi et al. (2016), eq. 1 to 4 (the unit of Cho et al. 2014), one layer, unrolled. */
export function gru4recEncoder({ factors, dropout: rate }: SequentialParams): Encoder {
  return {
    declare(weights) {
      for (const gate of gates) {
        weights.add(`${gate}/in`, [factors, factors], "glorot");
        weights.add(`${gate}/back`, [factors, factors], "glorot");
        weights.add(`${gate}/bias`, [factors], "zeros");
      }
      weights.add("out", [factors, factors], "glorot");
      weights.add("out-bias", [factors], "zeros");
    },
    encode(weights, vectors, { count, length }, seed) {
      const dropped = (x: Tensor, draw: number): Tensor =>
        seed === undefined ? x : dropout(x, rate, (seed + Math.imul(draw, 0x9e3779b9)) | 0);
      const x = dropped(vectors.mul(Math.sqrt(factors)), 1).transpose([1, 0, 2]);
      // What goes in is the same work at every step: done at once, then taken apart in the order of time.
      const [reset, update, fresh] = gates.map((gate) =>
        steps(dense(x, weights.get(`${gate}/in`), weights.get(`${gate}/bias`))),
      );
      const back = (gate: (typeof gates)[number], h: Tensor): Tensor => dense(h, weights.get(`${gate}/back`));
      let h: Tensor = tf.zeros([count, factors]);
      const states: Tensor[] = [];
      for (let t = 0; t < length; t++) {
        const r = reset[t].add(back("reset", h)).sigmoid();
        const z = update[t].add(back("update", h)).sigmoid();
        const n = fresh[t].add(r.mul(back("new", h))).tanh();
        h = n.add(z.mul(h.sub(n)));
        states.push(h);
      }
      const all = tf.stack(states).transpose([1, 0, 2]);
      return dense(dropped(all, 2), weights.get("out"), weights.get("out-bias"));
    },
  };
}
