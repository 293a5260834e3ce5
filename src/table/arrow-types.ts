import {
  Binary,
  Bool,
  type DataType,
  DateDay,
  Decimal,
  Field,
  Float32,
  Float64,
  Int16,
  Int32,
  Int64,
  Int8,
  List,
  Map_,
  Struct,
  TimeMicrosecond,
  Timestamp,
  TimeUnit,
  Uint16,
  Uint32,
  Uint64,
  Uint8,
  Utf8,
} from "apache-arrow";
import {
  DuckDBTypeId as Id,
  type DuckDBArrayType,
  type DuckDBDecimalType,
  type DuckDBListType,
  type DuckDBMapType,
  type DuckDBStructType,
  type DuckDBType,
} from "@duckdb/node-api";
import { ident } from "../engine/sql.js";

/** An engine type beside the Arrow type that holds all its values, and the SQL type to cast to where the two differ. */
export interface Pairing {
  arrow: DataType;
  sql: string;
}

const simple: Partial<Record<Id, () => DataType>> = {
  [Id.BOOLEAN]: () => new Bool(),
  [Id.TINYINT]: () => new Int8(),
  [Id.SMALLINT]: () => new Int16(),
  [Id.INTEGER]: () => new Int32(),
  [Id.BIGINT]: () => new Int64(),
  [Id.UTINYINT]: () => new Uint8(),
  [Id.USMALLINT]: () => new Uint16(),
  [Id.UINTEGER]: () => new Uint32(),
  [Id.UBIGINT]: () => new Uint64(),
  [Id.FLOAT]: () => new Float32(),
  [Id.DOUBLE]: () => new Float64(),
  [Id.DATE]: () => new DateDay(),
  [Id.TIME]: () => new TimeMicrosecond(),
  [Id.TIMESTAMP_S]: () => new Timestamp(TimeUnit.SECOND),
  [Id.TIMESTAMP_MS]: () => new Timestamp(TimeUnit.MILLISECOND),
  [Id.TIMESTAMP]: () => new Timestamp(TimeUnit.MICROSECOND),
  [Id.TIMESTAMP_NS]: () => new Timestamp(TimeUnit.NANOSECOND),
  [Id.TIMESTAMP_TZ]: () => new Timestamp(TimeUnit.MICROSECOND, "UTC"),
  [Id.VARCHAR]: () => new Utf8(),
  [Id.BLOB]: () => new Binary(),
};

/** The Arrow type of an engine type. What Arrow lacks becomes text; 128-bit integers become DECIMAL(38,0). */
export function pairingOf(type: DuckDBType): Pairing {
  const known = simple[type.typeId];
  if (known) return { arrow: known(), sql: type.alias ? "VARCHAR" : String(type) };
  switch (type.typeId) {
    case Id.DECIMAL: {
      const { width, scale } = type as DuckDBDecimalType;
      return { arrow: new Decimal(scale, width, 128), sql: String(type) };
    }
    case Id.HUGEINT:
    case Id.UHUGEINT:
      return { arrow: new Decimal(0, 38, 128), sql: "DECIMAL(38,0)" };
    case Id.LIST:
    case Id.ARRAY: {
      const inner = pairingOf((type as DuckDBListType | DuckDBArrayType).valueType);
      return { arrow: new List(new Field("item", inner.arrow, true)), sql: `${inner.sql}[]` };
    }
    case Id.STRUCT: {
      const { entryNames, entryTypes } = type as DuckDBStructType;
      const inner = entryTypes.map(pairingOf);
      return {
        arrow: new Struct(inner.map(({ arrow }, i) => new Field(entryNames[i], arrow, true))),
        sql: `STRUCT(${inner.map(({ sql }, i) => `${ident(entryNames[i])} ${sql}`).join(", ")})`,
      };
    }
    case Id.MAP: {
      const key = pairingOf((type as DuckDBMapType).keyType);
      const value = pairingOf((type as DuckDBMapType).valueType);
      const entry = new Struct<{ key: DataType; value: DataType }>([
        new Field("key", key.arrow, false),
        new Field("value", value.arrow, true),
      ]);
      return { arrow: new Map_(new Field("entries", entry, false)), sql: `MAP(${key.sql}, ${value.sql})` };
    }
    default:
      return { arrow: new Utf8(), sql: "VARCHAR" };
  }
}
