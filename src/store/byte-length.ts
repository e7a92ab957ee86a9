/** The length of a text in UTF-8, without encoding it. A lone surrogate counts as the three bytes of U+FFFD. */
export function byteLength(text: string): number {
  let bytes = text.length;
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index);
    if (unit < 0x80) continue;
    if (unit < 0x800) bytes += 1;
    else {
      bytes += 2;
      const next = text.charCodeAt(index + 1);
      // A pair has four bytes in two units.
      if (unit >= 0xd800 && unit < 0xdc00 && next >= 0xdc00 && next < 0xe000) index += 1;
    }
  }
  return bytes;
}

/** The length of several texts in UTF-8. */
export function byteLengthOf(texts: readonly string[]): number {
  let bytes = 0;
  for (const text of texts) bytes += byteLength(text);
  return bytes;
}
