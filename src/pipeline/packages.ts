import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

/** An optional package as a user's module finds it, else as ours does; undefined when it is not installed. */
export function packageFor<T>(module: string, name: string): T | undefined {
  for (const from of [module, fileURLToPath(import.meta.url)])
    try {
      return createRequire(from)(name) as T;
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== "MODULE_NOT_FOUND") throw cause;
    }
  return undefined;
}
