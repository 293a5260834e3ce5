/**
 * Gradient boosting over binned rows: the fast twin of gbdt.ts, which says what each function does. Sums are
 * integers, so that the trees do not depend on which thread added what. Functions that work on one tile
 * are exported so that they stay functions: V8 takes over faster code between calls, never inside one.
 */
export { setup, touch } from "./gbdt/memory.as";
export * from "./gbdt/binning.as";
export * from "./gbdt/gradients.as";
export * from "./gbdt/histograms.as";
export * from "./gbdt/rows.as";
export * from "./gbdt/splits.as";
