import { workBatch, type Batch, type BatchOutput } from "./series-work.js";

/** A batch of series on a thread of the pool. */
export default function (batch: Batch): BatchOutput {
  return workBatch(batch);
}
