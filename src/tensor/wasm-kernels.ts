import { guardMemory, heapOf, type Heap, type WasmBackend } from "./heap.js";
import { tf, type Tf } from "./tf.js";

const backendName = "wasm";
let opened: Heap | undefined;

/** Our kernels on the heap of the WASM backend, when it is the backend in use. */
export function ownHeap(): Heap | undefined {
  return tf.getBackend() === backendName ? opened : undefined;
}

interface Call {
  inputs: Record<string, Tf.TensorInfo>;
  attrs: Record<string, unknown>;
  backend: WasmBackend;
}
type KernelOf = (call: Call, stock: (call: Call) => Tf.TensorInfo) => Tf.TensorInfo;

/**
 * Replaces and adds kernels of the tfjs WASM backend, which must be open. As it comes, its transposed
 * and batched products are naive loops, `Identity` copies, sums over rows are slow, the gradients of
 * gather and of convolutions are missing, and that of max-pooling is wrong where a window is negative.
 *
 * @returns whether the kernels are in place
 */
export function installWasmKernels(): boolean {
  if (opened) return true;
  const backend = tf.backend() as unknown as WasmBackend;
  guardMemory(backend);
  const heap = heapOf(backend);
  if (!heap) return false;
  for (const [name, kernel] of Object.entries(kernelsOn(heap))) {
    const stock = tf.getKernel(name, backendName)?.kernelFunc as unknown as
      ((call: Call) => Tf.TensorInfo) | undefined;
    if (stock) tf.unregisterKernel(name, backendName);
    const missing = (): never => {
      throw new Error(`${name} is not there on the WASM backend`);
    };
    tf.registerKernel({
      kernelName: name,
      backendName,
      kernelFunc: ((call: Call) => kernel(call, stock ?? missing)) as unknown as Tf.KernelFunc,
    });
  }
  opened = heap;
  return true;
}

const product = (lengths: readonly number[]): number => lengths.reduce((all, length) => all * length, 1);

function kernelsOn(heap: Heap): Record<string, KernelOf> {
  const { at, make } = heap;
  return {
    Identity({ inputs: { x }, backend }) {
      backend.incRef(x.dataId);
      return { dataId: x.dataId, shape: x.shape, dtype: x.dtype };
    },

    BatchMatMul({ inputs: { a, b }, attrs }) {
      const [aHigh, aWide] = a.shape.slice(-2);
      const [bHigh, bWide] = b.shape.slice(-2);
      const [m, k] = attrs.transposeA ? [aWide, aHigh] : [aHigh, aWide];
      const n = attrs.transposeB ? bHigh : bWide;
      const outer = tf.broadcast_util.assertAndGetBroadcastShape(a.shape.slice(0, -2), b.shape.slice(0, -2));
      const batches = product(outer);
      const apart = (of: Tf.TensorInfo, size: number): number =>
        product(of.shape.slice(0, -2)) === 1 ? 0 : size;
      const out = make([...outer, m, n]);
      const scratch = heap.scratch(heap.call("gemmScratch"));
      heap.call(
        "gemmBatch",
        ...[batches, apart(a, m * k), apart(b, k * n), m, n, k],
        ...[at(a), attrs.transposeA ? 1 : k, attrs.transposeA ? m : 1],
        ...[at(b), attrs.transposeB ? 1 : n, attrs.transposeB ? k : 1],
        ...[at(out), scratch],
      );
      return out;
    },

    GatherV2(call, stock) {
      const { x, indices } = call.inputs;
      if (call.attrs.axis !== 0 || call.attrs.batchDims || x.dtype !== "float32" || indices.dtype !== "int32")
        return stock(call);
      const [rows, ...rest] = x.shape;
      const out = make([...indices.shape, ...rest]);
      const bad = heap.call(
        "gather",
        product(indices.shape),
        product(rest),
        rows,
        at(x),
        at(indices),
        at(out),
      );
      if (bad >= 0) throw new RangeError(`gather: index ${bad} is out of the ${rows} rows`);
      return out;
    },

    UnsortedSegmentSum({ inputs: { x, segmentIds }, attrs }) {
      const segments = attrs.numSegments as number;
      const [rows, ...rest] = x.shape;
      const out = make([segments, ...rest]);
      heap.call("segmentSum", rows, product(rest), segments, at(x), at(segmentIds), at(out));
      return out;
    },

    /** A stretch of rows, without the copy of the whole source that the stock kernel begins with. */
    Slice(call, stock) {
      const { x } = call.inputs;
      const [begin, size] = tf.slice_util.parseSliceParams(
        { shape: x.shape } as Tf.Tensor,
        call.attrs.begin as number[],
        call.attrs.size as number[],
      );
      if (x.dtype !== "float32" || !tf.slice_util.isSliceContinous(x.shape, begin, size)) return stock(call);
      const out = make(size);
      const from = tf.slice_util.computeFlatOffset(begin, tf.util.computeStrides(x.shape));
      heap.view(out).set(heap.view(x).subarray(from, from + product(size)));
      return out;
    },

    /** Over leading axes: the gradient of every bias. */
    Sum(call, stock) {
      const { x } = call.inputs;
      const axes = tf.util.parseAxisParam(call.attrs.axis as number[], x.shape).sort((p, q) => p - q);
      const leading = axes.length < x.shape.length && axes.every((axis, i) => axis === i);
      if (!leading || axes.length === 0 || x.dtype !== "float32") return stock(call);
      const kept = x.shape.slice(axes.length);
      const out = make(call.attrs.keepDims ? [...axes.map(() => 1), ...kept] : kept);
      heap.call("columnSums", product(x.shape.slice(0, axes.length)), product(kept), at(x), at(out));
      return out;
    },

    Conv2D(call, stock) {
      const { x, filter } = call.inputs;
      const about = convolution(x.shape, filter.shape, call.attrs);
      if (!about) return stock(call);
      const out = make(about.outShape);
      const cols = make([about.rows, about.depth]);
      const scratch = heap.scratch(heap.call("gemmScratch"));
      heap.call("patches", ...about.geometry, at(x), at(cols));
      multiply(about.rows, about.outChannels, about.depth, cols, false, filter, false, out, scratch);
      release(call.backend, cols);
      return out;
    },

    Conv2DBackpropFilter(call, stock) {
      const { x, dy } = call.inputs;
      const about = convolution(x.shape, call.attrs.filterShape as number[], call.attrs);
      if (!about) return stock(call);
      const out = make(call.attrs.filterShape as number[]);
      const cols = make([about.rows, about.depth]);
      const scratch = heap.scratch(heap.call("gemmScratch"));
      heap.call("patches", ...about.geometry, at(x), at(cols));
      multiply(about.depth, about.outChannels, about.rows, cols, true, dy, false, out, scratch);
      release(call.backend, cols);
      return out;
    },

    Conv2DBackpropInput(call, stock) {
      const { dy, filter } = call.inputs;
      const inputShape = call.attrs.inputShape as number[];
      const about = convolution(inputShape, filter.shape, call.attrs);
      if (!about) return stock(call);
      const out = make(inputShape);
      const cols = make([about.rows, about.depth]);
      const scratch = heap.scratch(heap.call("gemmScratch"));
      multiply(about.rows, about.depth, about.outChannels, dy, false, filter, true, cols, scratch);
      heap.call("patchesBack", ...about.geometry, at(cols), at(out));
      release(call.backend, cols);
      return out;
    },

    MaxPoolGrad({ inputs: { dy, input }, attrs }) {
      const { filterSize, strides, pad, dimRoundingMode } = attrs as unknown as PoolAttrs;
      const about = tf.backend_util.computePool2DInfo(
        input.shape as [number, number, number, number],
        filterSize,
        strides,
        1,
        pad,
        dimRoundingMode,
      );
      const out = make(input.shape);
      poolBack(about, heap.view(input), heap.view(dy), heap.view(out));
      return out;
    },
  };

  /** out[m, n] = a b; a and b row-major, or transposed. */
  function multiply(
    m: number,
    n: number,
    k: number,
    a: Tf.TensorInfo,
    transposeA: boolean,
    b: Tf.TensorInfo,
    transposeB: boolean,
    out: Tf.TensorInfo,
    scratch: number,
  ): void {
    heap.call(
      "gemm",
      ...[m, n, k, at(a), transposeA ? 1 : k, transposeA ? m : 1],
      ...[at(b), transposeB ? 1 : n, transposeB ? k : 1, at(out), 0, scratch],
    );
  }
}

function release(backend: WasmBackend, tensor: Tf.TensorInfo): void {
  (backend as unknown as { disposeData(id: object): void }).disposeData(tensor.dataId);
}

interface Convolution {
  outShape: number[];
  /** Rows (places of the output) and columns (weights of a filter) of the matrix of patches. */
  rows: number;
  depth: number;
  outChannels: number;
  geometry: number[];
}

/** @returns undefined for what is left to tfjs: channels first, or dilated filters */
function convolution(
  input: number[],
  filter: number[],
  attrs: Record<string, unknown>,
): Convolution | undefined {
  const { strides, pad, dataFormat, dilations, dimRoundingMode } = attrs as unknown as ConvAttrs;
  const dilated = [dilations ?? 1].flat().some((step) => step !== 1);
  if ((dataFormat ?? "NHWC") !== "NHWC" || dilated) return undefined;
  const about = tf.backend_util.computeConv2DInfo(
    input as [number, number, number, number],
    filter as [number, number, number, number],
    strides,
    1,
    pad,
    dimRoundingMode,
  );
  return {
    outShape: about.outShape,
    rows: about.batchSize * about.outHeight * about.outWidth,
    depth: about.filterHeight * about.filterWidth * about.inChannels,
    outChannels: about.outChannels,
    geometry: [
      ...[about.batchSize, about.inHeight, about.inWidth, about.inChannels, about.outHeight, about.outWidth],
      ...[about.filterHeight, about.filterWidth, about.strideHeight, about.strideWidth],
      ...[about.padInfo.top, about.padInfo.left],
    ],
  };
}

interface ConvAttrs {
  strides: number | [number, number];
  pad: "same" | "valid" | number;
  dataFormat?: "NHWC" | "NCHW";
  dilations?: number | [number, number];
  dimRoundingMode?: "floor" | "round" | "ceil";
}
interface PoolAttrs extends ConvAttrs {
  filterSize: number | [number, number];
}

/** Every gradient goes to the first largest cell of its window, as on the plain CPU backend. */
function poolBack(
  about: ReturnType<typeof tf.backend_util.computePool2DInfo>,
  x: Float32Array,
  dy: Float32Array,
  dx: Float32Array,
): void {
  const { batchSize, inHeight, inWidth, inChannels: channels, outHeight, outWidth } = about;
  const { strideHeight, strideWidth, filterHeight, filterWidth, padInfo } = about;
  dx.fill(0);
  for (let b = 0; b < batchSize; b++)
    for (let oy = 0; oy < outHeight; oy++)
      for (let ox = 0; ox < outWidth; ox++)
        for (let c = 0; c < channels; c++) {
          let best = -1;
          for (let ky = 0; ky < filterHeight; ky++) {
            const y = oy * strideHeight + ky - padInfo.top;
            if (y < 0 || y >= inHeight) continue;
            for (let kx = 0; kx < filterWidth; kx++) {
              const at = ox * strideWidth + kx - padInfo.left;
              if (at < 0 || at >= inWidth) continue;
              const place = ((b * inHeight + y) * inWidth + at) * channels + c;
              if (best < 0 || x[place] > x[best]) best = place;
            }
          }
          if (best >= 0) dx[best] += dy[((b * outHeight + oy) * outWidth + ox) * channels + c];
        }
}
