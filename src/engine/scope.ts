import type { Engine } from "./engine.js";
import { ident, literal } from "./sql.js";

/**
 * The same engine, remembering the tables that are made by it, so that work repeated many times (a fold, a
 * trial) leaves nothing behind.
 */
export function scoped(engine: Engine): { engine: Engine; drop: () => Promise<void> } {
  const made: string[] = [];
  return {
    engine: {
      ...engine,
      fresh(prefix) {
        const name = engine.fresh(prefix);
        made.push(name);
        return name;
      },
    },
    async drop() {
      if (made.length === 0) return;
      const tables = await engine.rows<{ name: string }>(
        `SELECT table_name AS name FROM duckdb_tables() WHERE table_name IN (${made.map(literal).join(", ")})`,
      );
      for (const { name } of tables) await engine.run(`DROP TABLE ${ident(name)}`);
      made.length = 0;
    },
  };
}
