import { tf, type Tf, type Tensor } from "../tf.js";

/*
 * Programs of our own on the tfjs WebGPU backend. What a network does in a dozen plain ops is one or two
 * programs here: starting an op costs some 0.1 ms on a GPU, whatever it computes.
 */

/** A program over flat arrays: its WGSL reads `uniforms.<name>`, the inputs by name, and writes `result`. */
export interface Program {
  name: string;
  inputs: readonly string[];
  /** Numbers of a call by name, in the order they are given in: "i32" or "f32". */
  uniforms: Readonly<Record<string, "i32" | "f32">>;
  /** A thread for every number of the result, or a workgroup of 64 for every row. */
  per: "element" | "row";
  /** Functions and variables of the module. */
  module?: string;
  /**
   * Statements: `index` is the number of the result, or `row` the row and `lane` the thread of it. A row may be
   * beyond the last (`uniforms.rows`): it must take part in barriers and may write nothing.
   */
  body: string;
  /** The result is added to by `add(place, value)`, from any thread. */
  atomic?: boolean;
}

export interface Call {
  inputs: readonly Tf.TensorInfo[];
  uniforms: readonly number[];
  /** Rows of a program per row. */
  rows?: number;
}

/** Threads of a workgroup. */
export const lanes = 64;

/** A function of a program per row that joins the numbers of its threads, by halves. */
const rowFold = (name: string, joined: (a: string, b: string) => string): string => `
  var<workgroup> ${name}Parts : array<f32, ${lanes}>;
  fn ${name}(lane : i32, value : f32) -> f32 {
    ${name}Parts[lane] = value;
    workgroupBarrier();
    for (var reach = ${lanes / 2}; reach > 0; reach = reach / 2) {
      if (lane < reach) { ${name}Parts[lane] = ${joined(`${name}Parts[lane]`, `${name}Parts[lane + reach]`)}; }
      workgroupBarrier();
    }
    let whole = ${name}Parts[0];
    workgroupBarrier();
    return whole;
  }`;

/** `rowSum(lane, value)` and `rowMax(lane, value)`: over the threads of a row. */
export const rowSum = rowFold("rowSum", (a, b) => `${a} + ${b}`);
export const rowMax = rowFold("rowMax", (a, b) => `max(${a}, ${b})`);

/** What is used of the tfjs WebGPU backend. */
interface GpuBackend {
  runWebGPUProgram(
    program: object,
    inputs: Tf.TensorInfo[],
    dtype: Tf.DataType,
    uniforms: { type: string; data: number[] }[],
    output?: Tf.TensorInfo,
  ): Tf.TensorInfo;
  tensorMap: { get(id: object): { values: unknown } };
}

export interface Gpu {
  /** Runs a program. @returns a tensor of the shape */
  run(program: Program, shape: readonly number[], call: Call): Tensor;
  /** Runs a program that reads and writes the numbers of a tensor in their place: `result` holds them. */
  update(program: Program, tensor: Tf.TensorInfo, call: Call): void;
}

/** Our programs, when the WebGPU backend is in use. */
export function ownGpu(): Gpu | undefined {
  return tf.getBackend() === "webgpu" ? gpu : undefined;
}

const gpu: Gpu = {
  run(program, shape, call) {
    const { dataId } = started(program, sizeOf(shape), call);
    return tf.engine().makeTensorFromTensorInfo({ dataId, shape: [...shape], dtype: "float32" });
  },
  update(program, tensor, call) {
    started(program, sizeOf(tensor.shape), call, flat(tensor));
    // What was read before is kept beside the buffer, and is old now.
    (tf.backend() as unknown as GpuBackend).tensorMap.get(tensor.dataId).values = null;
  },
};

const sizeOf = (shape: readonly number[]): number => shape.reduce((all, length) => all * length, 1);

/** Without its shape: a program is compiled anew for inputs of other ranks. */
function flat({ dataId, dtype, shape }: Tf.TensorInfo): Tf.TensorInfo {
  return { dataId, dtype, shape: [sizeOf(shape)] };
}

function started(
  program: Program,
  size: number,
  { inputs, uniforms, rows }: Call,
  output?: Tf.TensorInfo,
): Tf.TensorInfo {
  const types = Object.values(program.uniforms);
  const groups = program.per === "row" ? rows! : Math.ceil(size / lanes);
  return (tf.backend() as unknown as GpuBackend).runWebGPUProgram(
    {
      constructor: { name: program.name },
      variableNames: program.inputs,
      outputShape: [size],
      shaderKey: `shopai ${program.name}`,
      workgroupSize: [lanes, 1, 1],
      dispatchLayout: { x: [0] },
      dispatch: [groups, 1, 1],
      uniforms: Object.entries(program.uniforms)
        .map(([name, type]) => `${name} : ${type},`)
        .join(" "),
      size: true,
      atomic: program.atomic ?? false,
      getUserCode: () => codeOf(program),
    },
    inputs.map(flat),
    "float32",
    uniforms.map((value, i) => ({ type: types[i] === "i32" ? "int32" : "float32", data: [value] })),
    output,
  );
}

function codeOf({ per, module = "", body, atomic }: Program): string {
  const start =
    per === "row"
      ? `let row = index / ${lanes}; let lane = i32(localIndex);`
      : "if (index >= uniforms.size) { return; }";
  return `${atomic ? addition : ""}${module}
  fn main(index : i32) { ${start} ${body} }`;
}

/** WGSL adds whole numbers only: a number that another thread changed in between is tried again. */
const addition = `
  fn add(place : i32, value : f32) {
    var before = atomicLoad(&result[place]);
    loop {
      let sum = bitcast<i32>(bitcast<f32>(before) + value);
      let tried = atomicCompareExchangeWeak(&result[place], before, sum);
      if (tried.exchanged) { break; }
      before = tried.old_value;
    }
  }`;
