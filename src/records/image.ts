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
 * The columns that were left out of an image, by name.
 * @returns a digest of what each held, `undefined` where that is not known
 */
export function leftOutOf(image: Image, columns: readonly CollectionColumn[]): ReadonlyMap<string, string | undefined> {
  const mark = image.get(LARGE_MARK);
  if (mark === undefined) return NOTHING;
  const missing = columns.filter(({ column }) => !image.has(column));
  if (mark === 'true') return new Map(missing.map(({ column }) => [column, undefined]));
  const digests = splitObject(mark);
  return new Map(missing.flatMap(({ column }) => (digests.has(column) ? [[column, digests.get(column)]] : [])));
}

const NOTHING: ReadonlyMap<string, string | undefined> = new Map();
