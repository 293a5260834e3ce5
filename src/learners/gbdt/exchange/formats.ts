/** What models of trees are exported to; apart from the writers, so that help loads none of them. */
export const exportFormats = ["xgboost", "lightgbm", "onnx"] as const;
export type ExportFormat = (typeof exportFormats)[number];
