import type { Frame } from "../engine/frame.js";
import type { Field } from "../engine/engine.js";
import { dense } from "../kernels/design.js";
import type { Points } from "../kernels/lloyd.js";
import { encode, type Encoding } from "./design-matrix.js";
import type { FolderReader, FolderWriter } from "./model-folder.js";
import { flag, int } from "./params.js";

/** Parameters of learners that look at distances between rows. */
export const nearbyParams = {
  scale: flag({
    default: true,
    help: "divide numbers by their standard deviation, so that each counts alike",
  }),
  levels: int({
    default: 50,
    min: 1,
    max: 10_000,
    help: "most levels kept of one text column, the most frequent",
  }),
};

/** Rows as points: scaled numbers, a one for every level of a text. */
export function pointsOf(frame: Frame, features: readonly Field[], encoding: Encoding): Points {
  return dense(encode(frame, features, encoding));
}

export function savePoints(folder: FolderWriter, encoding: Encoding, { rows, width, values }: Points): void {
  folder.json("encoding", encoding);
  folder.array("points", values, [rows, width]);
}

export function loadPoints(folder: FolderReader): { encoding: Encoding; points: Points } {
  const encoding = folder.json<Encoding>("encoding");
  const values = folder.array("points", "f64", [undefined, encoding.width]);
  return { encoding, points: { rows: values.length / encoding.width, width: encoding.width, values } };
}
