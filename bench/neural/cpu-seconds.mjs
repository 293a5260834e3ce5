// Loaded before a program (`node --import`): leaves its CPU seconds in the file that SHOPAI_CPU_SECONDS names.
import { writeFileSync } from "node:fs";

process.on("exit", () => {
  const { user, system } = process.cpuUsage();
  writeFileSync(process.env.SHOPAI_CPU_SECONDS, String((user + system) / 1e6));
});
