/** The place of the least value of a function with one valley in [low, high], to a width. */
export function goldenSection(f: (x: number) => number, low: number, high: number, width = 1e-7): number {
  const golden = (Math.sqrt(5) - 1) / 2;
  let a = low;
  let b = high;
  let c = b - golden * (b - a);
  let d = a + golden * (b - a);
  let fc = f(c);
  let fd = f(d);
  while (b - a > width) {
    if (fc <= fd) {
      b = d;
      d = c;
      fd = fc;
      c = b - golden * (b - a);
      fc = f(c);
    } else {
      a = c;
      c = d;
      fc = fd;
      d = a + golden * (b - a);
      fd = f(d);
    }
  }
  const middle = (a + b) / 2;
  // The valley may lie on the edge of the range.
  return [low, high, middle].reduce((x, y) => (f(y) < f(x) ? y : x), middle);
}
