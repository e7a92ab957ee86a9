/** Images: rows as capture writes them, JSON objects keyed by column name, kept as text (see `row-text.ts`). */
import type { CollectionColumn } from './columns.ts';
import { splitObject } from './row-text.ts';

/** The columns of a row by name, each value as raw JSON text. */
export type Image = ReadonlyMap<string, string>;

/**
 * Marks the image of a row that was too large for an image of all its columns. Its value has those that are left out, each with a
 * digest of what it held; or it is `true` where only the key and the version are there.
 */
const LARGE_MARK = '$large';

/** @param image an image, cut already or as text */
export function readImage(image: string | Image): Image {
  return typeof image === 'string' ? splitObject(image) : image;
}

/**
 * The columns that an image lacks, by name: those that were left out, and those that the table did not have under this name when the
 * row was written.
 * @returns a digest of what each held, `undefined` where that is not known
 */
export function leftOutOf(image: Image, columns: readonly CollectionColumn[]): ReadonlyMap<string, string | undefined> {
  if (columns.every(({ column }) => image.has(column))) return NOTHING;
  const mark = image.get(LARGE_MARK);
  const digests = mark === undefined || mark === 'true' ? NOTHING : splitObject(mark);
  const missing = columns.filter(({ column }) => !image.has(column));
  // Where nothing else is known, the version says whether it may be another.
  const unknown = mark === 'true' ? image.get('version') : undefined;
  return new Map(missing.map(({ column }) => [column, digests.get(column) ?? unknown]));
}

const NOTHING: ReadonlyMap<string, string | undefined> = new Map();
