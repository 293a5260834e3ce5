import { tf, type Tf } from "../tf.js";

interface Buffer {
  size: number;
  usage: number;
}
interface Buffers {
  acquireBuffer(bytes: number, usage: number): Buffer;
  usedBuffers: Map<string, Buffer[]>;
}
interface Uniform {
  type: string;
  data: number[];
}
interface Stored {
  dtype: Tf.DataType;
  shape: number[];
  values: ArrayLike<number> | null;
  resource: object | null;
}
interface Backend {
  bufferManager: Buffers;
  queue: { writeBuffer(buffer: object, offset: number, values: ArrayBufferView): void };
  tensorMap: { get(id: object): Stored };
  uploadToGPU(id: object): void;
  makeUniforms(uniforms: readonly Uniform[]): { buffer: Buffer };
  uniformPendingDisposal: Buffer[];
}
interface Pipeline {
  getBindGroupLayout(group: number): object;
}
interface PipelineMaker {
  createComputePipeline(about: object): Pipeline;
}

/** Ops that are handed to the driver together: each handing over costs as much as several ops. */
const together = 64;

/** GPUBufferUsage.STORAGE, COPY_SRC and COPY_DST. */
const usage = 0x80 | 0x4 | 0x8;

/** Asks a pipeline once for its layout, not for every call: each answer is another object to be collected. */
export function keepLayouts(device: PipelineMaker): void {
  const create = device.createComputePipeline.bind(device);
  device.createComputePipeline = (about) => {
    const pipeline = create(about);
    const layout = pipeline.getBindGroupLayout(0);
    pipeline.getBindGroupLayout = () => layout;
    return pipeline;
  };
}

/** Sets of numbers that stay on the GPU: more than a training of many shapes has. */
const mostUniforms = 8192;

/**
 * Keeps the numbers that programs are told, which are the same in every step but for a few. The backend writes
 * them anew for every op.
 */
export function keepUniforms(backend: Tf.KernelBackend): void {
  const own = backend as unknown as Backend;
  const stock = own.makeUniforms.bind(own);
  const kept = new Map<string, ReturnType<typeof stock>>();
  own.makeUniforms = (uniforms) => {
    let key = "";
    for (const { type, data } of uniforms) key += `${type[0]}${data.join()};`;
    const found = kept.get(key);
    if (found) return found;
    const made = stock(uniforms);
    if (kept.size < mostUniforms) {
      kept.set(key, made);
      // It was just acquired, to be released after the commands that wait: it is not to be.
      own.uniformPendingDisposal.pop();
      const { size, usage } = made.buffer;
      own.bufferManager.usedBuffers.get(`${size}_${usage}`)?.pop();
    }
    return made;
  };
}

/**
 * Uploads tensors by the queue. The backend maps a new buffer for each and destroys it afterwards, which costs
 * more than a small op. A buffer that is acquired is in no command that waits to be submitted, so that
 * nothing is overtaken.
 */
export function uploadByQueue(backend: Tf.KernelBackend): void {
  tf.env().set("WEBGPU_DEFERRED_SUBMIT_BATCH_SIZE", together);
  const own = backend as unknown as Backend;
  const stock = own.uploadToGPU.bind(own);
  own.uploadToGPU = (id) => {
    const stored = own.tensorMap.get(id);
    if (stored.resource !== null && stored.resource !== undefined) return;
    if (!stored.values || stored.values.length === 0 || stored.dtype === "complex64") return stock(id);
    const { values } = stored;
    const typed = values instanceof Float32Array || values instanceof Int32Array ? values : undefined;
    const words = stored.dtype === "float32" ? Float32Array : Int32Array;
    const written = typed instanceof words ? typed : new words(values);
    const buffer = own.bufferManager.acquireBuffer(written.byteLength, usage);
    own.queue.writeBuffer(buffer, 0, written);
    stored.resource = buffer;
    stored.values = null;
  };
}
