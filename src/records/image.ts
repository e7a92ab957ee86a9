/** Images: rows as capture writes them, JSON objects keyed by column name, kept as text (see `row-text.ts`). */
import { splitObject } from './row-text.ts';

/** The columns of a row by name, each value as raw JSON text. */
export type Image = ReadonlyMap<string, string>;

/** Marks the image of a row that was too large: it has only the key and the version. */
export const LARGE_MARK = '$large';

/** @param image an image, cut already or as text */
export function readImage(image: string | Image): Image {
  return typeof image === 'string' ? splitObject(image) : image;
}

/** Whether the row was too large for an image of all its columns. */
export function isLarge(image: Image): boolean {
  return image.get(LARGE_MARK) === 'true';
}
