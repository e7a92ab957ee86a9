/** A caller sees more rows of a collection than a view can hold: the stream needs a filter. */
export class ViewTooLarge extends Error {
  override readonly name = 'ViewTooLarge';
}
