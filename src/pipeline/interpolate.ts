import type { YamlPath } from "../core/yaml-source.js";

/** Gives the value of a reference such as `params.data` or `stages.orders.out`, met at a place in the YAML. */
export type Resolve = (reference: string, at: YamlPath) => unknown;

/** `$${` is a plain `${`; `${name}` is replaced; an unclosed `${` is handed to `resolve`, which refuses it. */
const pattern = /\$\$\{|\$\{([^}]*)(\}?)/g;
const alone = /^\$\{([^}]*)\}$/;

/**
 * A YAML value with every `${…}` in its texts replaced. A text that is one reference keeps the native
 * type of what it refers to (a number stays a number, a list a list).
 */
export function interpolated(value: unknown, at: YamlPath, resolve: Resolve): unknown {
  if (typeof value === "string") {
    const whole = alone.exec(value);
    if (whole) return resolve(whole[1].trim(), at);
    return value.replace(pattern, (match, name: string | undefined, close: string) => {
      if (match === "$${") return "${";
      return asText(resolve(close ? name!.trim() : match, at));
    });
  }
  if (Array.isArray(value)) return value.map((item, i) => interpolated(item, [...at, i], resolve));
  if (value !== null && typeof value === "object")
    return Object.fromEntries(
      Object.entries(value).map(([key, inner]) => [key, interpolated(inner, [...at, key], resolve)]),
    );
  return value;
}

const asText = (value: unknown): string =>
  Array.isArray(value) ? value.map((item) => String(item)).join(" ") : String(value);
