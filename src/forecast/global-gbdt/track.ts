/** One series with running sums, so that means over any stretch of it cost the same; grows by one value at a time. */
export class Track {
  length = 0;
  readonly values: Float64Array;
  private readonly sums: Float64Array;
  private readonly squares: Float64Array;
  private readonly changes: Float64Array;
  private readonly zeros: Int32Array;

  /**
   * @param history values to begin with
   * @param season  distance that changes are taken over
   * @param room    values that will be pushed later
   */
  constructor(
    history: Float64Array,
    readonly season: number,
    room = 0,
  ) {
    const most = history.length + room;
    this.values = new Float64Array(most);
    this.sums = new Float64Array(most + 1);
    this.squares = new Float64Array(most + 1);
    this.changes = new Float64Array(most + 1);
    this.zeros = new Int32Array(most + 1);
    for (const value of history) this.push(value);
  }

  push(value: number): void {
    const t = this.length++;
    this.values[t] = value;
    this.sums[t + 1] = this.sums[t] + value;
    this.squares[t + 1] = this.squares[t] + value * value;
    const change = t >= this.season ? Math.abs(value - this.values[t - this.season]) : 0;
    this.changes[t + 1] = this.changes[t] + change;
    this.zeros[t + 1] = this.zeros[t] + (value === 0 ? 1 : 0);
  }

  /** Mean of the last `count` values up to `end` (excluded); of fewer at the start. */
  mean(end: number, count: number): number {
    const from = Math.max(0, end - count);
    return (this.sums[end] - this.sums[from]) / (end - from);
  }

  deviation(end: number, count: number): number {
    const from = Math.max(0, end - count);
    const mean = this.mean(end, count);
    return Math.sqrt(Math.max(0, (this.squares[end] - this.squares[from]) / (end - from) - mean * mean));
  }

  /** Mean size of the changes over a season among the last `count` values up to `end`; NaN without one. */
  change(end: number, count: number): number {
    const from = Math.max(this.season, end - count);
    return end > from ? (this.changes[end] - this.changes[from]) / (end - from) : NaN;
  }

  zeroShare(end: number, count: number): number {
    const from = Math.max(0, end - count);
    return (this.zeros[end] - this.zeros[from]) / (end - from);
  }
}
