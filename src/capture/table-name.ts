/** Names of tables as people write them: `orders`, `shop.orders`, `"Odd name"`, as in SQL. */

export interface TableName {
  readonly schema: string | undefined;
  readonly name: string;
}

const PART = String.raw`"(?:[^"]|"")+"|[\p{L}_][\p{L}\p{N}_$]*`;
const NAME = new RegExp(String.raw`^\s*(?:(${PART})\s*\.\s*)?(${PART})\s*$`, 'u');

/** Reads a name as Postgres does: what is not quoted is taken in lower case. `undefined` for what cannot be one. */
export function parseTableName(text: string): TableName | undefined {
  const [, schema, name] = NAME.exec(text) ?? [];
  if (name === undefined) return undefined;
  return { schema: schema === undefined ? undefined : unquote(schema), name: unquote(name) };
}

/** The name with every part quoted, so that it means the same everywhere. */
export function quoteTableName({ schema, name }: TableName): string {
  return schema === undefined ? quoteIdentifier(name) : `${quoteIdentifier(schema)}.${quoteIdentifier(name)}`;
}

export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

function unquote(part: string): string {
  return part.startsWith('"') ? part.slice(1, -1).replaceAll('""', '"') : part.toLowerCase();
}
