/** A caller sees more rows of a collection than a view can hold (the stream needs a filter), or there are more views than one node keeps. */
export class ViewTooLarge extends Error {
  override readonly name = 'ViewTooLarge';
}
