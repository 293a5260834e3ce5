/** What `shopai --help` says of every command: apart from the commands, so that help loads none of them. */
export const summaries = {
  inspect: "show schema, rows, provenance and a profile of any table or model",
  clean: "turn raw files into typed, deduplicated, repaired rows, by a data contract",
  featurize: "turn events, orders and items into a feature table, point-in-time correct",
  train: "fit a learner on a feature table and save the model",
  evaluate: "measure a model on held-out rows, with intervals, slices and gates",
  predict: "score rows, recommend items, assign segments",
  forecast: "forecast many series at once, with backtest and intervals",
  decide: "turn forecasts into orders, each with its expected money and what bound it",
  report: "gather results in one self-contained page",
  run: "run the stages of a pipeline that are out of date",
  generate: "make a seeded synthetic shop with known truth",
  learners: "list the learners by task, with every parameter",
  schema: "print JSON Schema for editors, or the command reference",
  completion: "print shell completion for bash, zsh or fish",
};
