/**
 * The types of records in wire form, inferred from a drizzle table. Only types: what they promise is made by `wire-row.ts` and
 * held by `record-schemas.ts`.
 */
import type { PgTable } from 'drizzle-orm/pg-core';
import type { Json } from '../protocol/event.ts';

/** A record whose table is not known at this place. */
export type WireRecord = Readonly<Record<string, Json>>;

type Columns<Table extends PgTable> = Table['_']['columns'];
type Config<Column> = Column extends { readonly _: infer C } ? C : never;

/** The property names of a table's columns. */
export type FieldOf<Table extends PgTable> = keyof Columns<Table> & string;

/** Types that drizzle reads into numbers or objects, and that Postgres writes into JSON as the type's own text. */
type AsText =
  | 'PgPointTuple'
  | 'PgPointObject'
  | 'PgLine'
  | 'PgLineABC'
  | 'PgVector'
  | 'PgHalfVector'
  | 'PgSparseVector'
  | 'PgBinaryVector';

type WireOf<Data> = Data extends Date | bigint | Uint8Array
  ? string
  : Data extends readonly (infer Element)[]
    ? readonly WireOf<Element>[]
    : Data;

/** What a column's value is on the wire, without regard to null. */
type WireValue<C> = C extends { dataType: infer DataType; columnType: infer ColumnType; data: infer Data }
  ? ColumnType extends AsText
    ? string
    : ColumnType extends 'PgCustomColumn'
      ? WireOfCustom<C>
      : ColumnType extends 'PgGeometry' | 'PgGeometryObject'
        ? Json
        : ColumnType extends 'PgArray'
          ? WireOfArray<C, Data>
          : DataType extends 'json'
            ? Data
            : WireOf<Data>
  : Json;

/** What Postgres writes for a type of the user's own is known only as far as its definition says what the driver sees. */
type WireOfCustom<C> = C extends { driverParam: infer Driver }
  ? unknown extends Driver
    ? Json
    : WireOf<Driver>
  : Json;

type WireOfArray<C, Data> =
  Config<C extends { baseColumn: infer Base } ? Base : never> extends { columnType: AsText }
    ? readonly string[]
    : WireOf<Data>;

type Nullable<C, Value> = C extends { notNull: true } ? Value : Value | null;

/** On input, digits that are strings on the wire may be numbers as well. */
type InputValue<C> = C extends { columnType: 'PgNumeric' } | { dataType: 'bigint' } ? string | number : WireValue<C>;

type Generated<C> = C extends { identity: 'always' }
  ? true
  : C extends { generated: undefined }
    ? false
    : C extends { generated: { type: 'byDefault' } }
      ? false
      : true;

/** Properties that a client may write: neither generated nor the version. */
type Writable<Table extends PgTable> = {
  [F in FieldOf<Table>]: Generated<Config<Columns<Table>[F]>> extends true
    ? never
    : Config<Columns<Table>[F]> extends { name: 'version' }
      ? never
      : F;
}[FieldOf<Table>];

type Required<Table extends PgTable> = {
  [F in Writable<Table>]: Config<Columns<Table>[F]> extends { notNull: true; hasDefault: false } ? F : never;
}[Writable<Table>];

type Input<Table extends PgTable, F extends FieldOf<Table>> = Nullable<
  Config<Columns<Table>[F]>,
  InputValue<Config<Columns<Table>[F]>>
>;

type Flat<T> = { readonly [K in keyof T]: T[K] };

/** A record as it is read. */
export type RecordOf<Table extends PgTable> = {
  readonly [F in FieldOf<Table>]: Nullable<Config<Columns<Table>[F]>, WireValue<Config<Columns<Table>[F]>>>;
};

/** A record as it is created: what has a default or may be null can be left out. */
export type InsertOf<Table extends PgTable> = Flat<
  { readonly [F in Required<Table>]: Input<Table, F> } & {
    readonly [F in Exclude<Writable<Table>, Required<Table>>]?: Input<Table, F>;
  }
>;

/** Properties that the table's primary key consists of, as far as the types tell (a composite key does not). */
type Primary<Table extends PgTable> = {
  [F in FieldOf<Table>]: Config<Columns<Table>[F]> extends { isPrimaryKey: true } ? F : never;
}[FieldOf<Table>];

/** A record that takes another's place: as it is created, but the URL says the key already. */
export type ReplaceOf<Table extends PgTable> = Flat<
  { readonly [F in Exclude<Required<Table>, Primary<Table>>]: Input<Table, F> } & {
    readonly [F in Exclude<Writable<Table>, Exclude<Required<Table>, Primary<Table>>>]?: Input<Table, F>;
  }
>;

/** A merge patch (RFC 7396): only what shall change, and never the key. */
export type PatchOf<Table extends PgTable> = {
  readonly [F in Exclude<Writable<Table>, Primary<Table>>]?: Input<Table, F>;
};

/** The policies that make sense for a column. */
export type MergePolicyOf<Table extends PgTable, F extends FieldOf<Table>> = PolicyOf<
  Config<Columns<Table>[F]>,
  RecordOf<Table>[F]
>;

type PolicyOf<C, Value> =
  | 'reject'
  | 'client'
  | 'server'
  | (C extends { dataType: 'number' | 'bigint' } | { columnType: 'PgNumeric' } ? 'add' : never)
  | (C extends { dataType: 'array' | 'json' } ? 'union' : never)
  | MergeFunction<Value>;

/** Decides a field that both sides changed. It gets three values in wire form, and answers one. */
export type MergeFunction<Value> = (values: {
  /** What the client started from. */
  readonly base: Value;
  /** What is there now. */
  readonly current: Value;
  /** What the client wants. */
  readonly mine: Value;
}) => Value;
