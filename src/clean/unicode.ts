import type { DuckDbEngine } from "../engine/duckdb.js";
import type { Engine } from "../engine/engine.js";

const registered = new WeakSet<Engine>();

/** Gives the engine `shopai_nfkc(text)`: Unicode compatibility form, in which ｆｕｌｌ width and ligatures become plain letters. */
export async function registerUnicode(engine: Engine): Promise<void> {
  if (registered.has(engine)) return;
  registered.add(engine);
  const { DuckDBScalarFunction, VARCHAR } = await import("../engine/duckdb-library.js");
  (engine as DuckDbEngine).connection.registerScalarFunction(
    DuckDBScalarFunction.create({
      name: "shopai_nfkc",
      parameterTypes: [VARCHAR],
      returnType: VARCHAR,
      mainFunction(_info, input, output) {
        const texts = input.getColumnVector(0);
        for (let row = 0; row < input.rowCount; row++) {
          const text = texts.getItem(row) as string | null;
          output.setItem(row, text === null ? null : text.normalize("NFKC"));
        }
        output.flush();
      },
    }),
  );
}
