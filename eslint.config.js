import js from "@eslint/js";
import tseslint from "typescript-eslint";

/** Rooms from the ground up; a room imports only from its own floor or one below (docs/architecture.md). */
const floors = [
  ["src/core"],
  ["src/engine", "src/table"],
  ["src/tensor", "src/kernels"],
  ["src/clean", "src/features", "src/metrics", "src/generate"],
  ["src/learners", "src/forecast"],
  ["src/report", "src/decide"],
  ["src/pipeline"],
  ["src/cli"],
  ["commands"],
];

const oneWay = floors.flatMap((rooms, floor) =>
  rooms.map((room) => ({
    files: [`${room}/**/*.ts`],
    rules: {
      "no-restricted-imports": [
        "error",
        {
          patterns: floors.slice(floor + 1).flatMap((above) =>
            above.map((name) => ({
              regex: `^(\\.\\./)+${name.replace("src/", "(src/)?")}/`,
              message: `${room} may not import from ${name}: imports point down the floors`,
            })),
          ),
        },
      ],
    },
  })),
);

export default tseslint.config(
  { ignores: [".venv/", "dist/", "node_modules/", "coverage/", "work/", "**/*.as.ts"] },
  js.configs.recommended,
  ...tseslint.configs.recommended,
  {
    rules: {
      "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_", varsIgnorePattern: "^_" }],
      "@typescript-eslint/consistent-type-imports": "error",
    },
  },
  {
    files: ["src/**/*.ts"],
    ignores: ["src/core/power.ts"],
    rules: {
      "no-restricted-syntax": [
        "error",
        {
          selector:
            ":matches(BinaryExpression, AssignmentExpression)[operator=/^[*][*]=?$/]:not([right.value=2]):not([left.value=2]):not([left.type='Literal'][right.type='Literal'])",
          message: "other versions of Node give other bits: power (src/core/power.ts)",
        },
        {
          selector: "MemberExpression[object.name='Math'][property.name='pow']",
          message: "other versions of Node give other bits: power (src/core/power.ts)",
        },
      ],
    },
  },
  { files: ["src/**/*.ts"], ignores: ["src/cli/**"], rules: { "no-console": "error" } },
  {
    files: ["**/*.mjs", "**/*.js"],
    languageOptions: {
      globals: { process: "readonly", console: "readonly", URL: "readonly", performance: "readonly" },
    },
  },
  ...oneWay,
);
