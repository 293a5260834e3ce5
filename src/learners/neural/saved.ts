import { ShopaiError } from "../../core/errors.js";
import type { WeightAbout } from "../../tensor/weights.js";
import type { FolderReader, FolderWriter } from "../model-folder.js";

export interface SavedWeights {
  /** One after the other, in the order of the manifest. */
  weights: Float32Array;
  manifest: WeightAbout[];
}

/**
 * Stores weights as TensorFlow.js does: `weights-manifest.json` names them with their shapes in the
 * order in which `weights.bin` holds their values, 32-bit floats.
 */
export function saveWeights(folder: FolderWriter, { weights, manifest }: SavedWeights): void {
  folder.json("weights-manifest", manifest);
  folder.array("weights", weights);
}

export function loadWeights(folder: FolderReader): SavedWeights {
  const manifest = folder.json<WeightAbout[]>("weights-manifest");
  const length = manifest.reduce((sum, { shape }) => sum + shape.reduce((size, side) => size * side, 1), 0);
  return { manifest, weights: folder.array("weights", "f32", [length]) };
}

export function damagedWeights(): ShopaiError {
  return new ShopaiError("model", "the model is damaged: its weights do not fit its parameters", {
    try: "training it again",
  });
}
