/** Rows of a block: partial sums of gradients are kept per block. */
export const block = 4096;

/** The memory of a plain kernel with what its functions are told of it. */
export class PlainMemory {
  u8 = new Uint8Array();
  i32 = new Int32Array();
  u32 = new Uint32Array();
  f32 = new Float32Array();
  f64 = new Float64Array();
  bins = 0;
  stride = 0;
  meta = 0;
  histBytes = 0;
  privates = 0;
  /** Room for the histogram of one column. */
  spread = 0;
  tile = block;
  invG = 0;
  invH = 0;
  lambda = 0;
  alpha = 0;
  childWeight = 0;
  catLambda = 0;
  catSmooth = 0;
  maxStep = 0;
  extra = 0;

  constructor(private readonly memory: WebAssembly.Memory) {}

  /** Views of the whole memory, anew after it has grown. */
  look(): void {
    const { buffer } = this.memory;
    if (this.u8.buffer === buffer && this.u8.length === buffer.byteLength) return;
    this.u8 = new Uint8Array(buffer);
    this.i32 = new Int32Array(buffer);
    this.u32 = new Uint32Array(buffer);
    this.f32 = new Float32Array(buffer);
    this.f64 = new Float64Array(buffer);
  }
}

/** Where rows, the tables of `writeMeta` and histograms lie; rows of a tile. */
export function setup(
  m: PlainMemory,
  bins: number,
  stride: number,
  meta: number,
  histBytes: number,
  privates: number,
  _privateBytes: number,
  scratch: number,
  _scratchBytes: number,
  _counter: number,
  tile: number,
  _far: number,
): void {
  Object.assign(m, { bins, stride, meta, histBytes, privates, tile, spread: scratch });
}

/** Where the entry of a column begins in the words of memory: its table follows that of bytes. */
export function columnEntry({ meta, stride }: PlainMemory, entry: number): number {
  return meta / 4 + stride * 4 + entry * 8;
}
