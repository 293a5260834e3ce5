/** What decisions cost, in one unit: positive costs, negative gains. */
export interface CostMatrix {
  /** A negative taken for a positive: an honest customer turned away. */
  fp: number;
  /** A positive that was missed: a fraud let through. */
  fn: number;
  tp: number;
  tn: number;
}

/**
 * The probability from which on deciding for the positive class costs less.
 *
 * Elkan (2001), The Foundations of Cost-Sensitive Learning, IJCAI, eq. 2.
 *
 * @returns 0 to 1
 */
export function costThreshold({ fp, fn, tp, tn }: CostMatrix): number {
  return (fp - tn) / (fp - tn + fn - tp);
}
