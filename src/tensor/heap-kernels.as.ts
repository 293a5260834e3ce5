// memory: own
// Kernels on the heap of the tfjs WASM backend: they read and write its tensors in place. The memory is
// tfjs's own, so nothing here may need static data; scratch space comes from the caller.
export { gemm, gemmBatch, gemmScratch } from "./heap/products.as";
export { columnSums, gather, segmentSum } from "./heap/tables.as";
export { adam, squares } from "./heap/adam.as";
export { causalSoftmax, causalSoftmaxBack, dropout, layerNorm, layerNormBack } from "./heap/layers.as";
export { lossScratch, softmaxLoss } from "./heap/loss.as";
export { patches, patchesBack } from "./heap/patches.as";
