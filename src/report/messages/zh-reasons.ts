/** Reasons of src/pipeline/changes.ts; what they quote stays as it is. */
export const reasons: readonly [RegExp, string][] = [
  [/^never ran$/, "从未运行"],
  [/^new version (.+)$/, "新版本 $1"],
  [/^seed (.+ → .+)$/, "随机种子 $1"],
  [/^option (`.+` .+ → .+)$/, "选项 $1"],
  [/^input (.+) is new$/, "新增输入 $1"],
  [/^input (.+) is read no more$/, "不再读取输入 $1"],
  [/^input (.+) changed \((.+)\)$/, "输入 $1 有变化（$2）"],
  [/^output (.+) is new$/, "新增输出 $1"],
  [/^output (.+) is missing$/, "缺少输出 $1"],
];
