/** Newline-delimited JSON: one value a line. */

/** The most characters of an unfinished line that a splitter holds. */
export const MAX_LINE_LENGTH = 4 * 1024 * 1024;

/** One line: `json` is JSON text without line breaks, as `JSON.stringify` and the event encoder make it. */
export function encodeNdjsonLine(json: string): string {
  return `${json}\n`;
}

/**
 * Splits text that comes in pieces into its lines; blank lines are passed over.
 *
 * @returns `push` for each piece and `end` for what is left; both throw `RangeError` when a line outgrows
 *   {@link MAX_LINE_LENGTH}
 */
export function createLineSplitter(onLine: (line: string) => void): { push(chunk: string): void; end(): void } {
  let rest = '';
  function emit(line: string): void {
    const trimmed = line.endsWith('\r') ? line.slice(0, -1) : line;
    if (trimmed.trim() !== '') onLine(trimmed);
  }
  return {
    push(chunk) {
      const text = rest + chunk;
      let start = 0;
      for (let end = text.indexOf('\n'); end !== -1; end = text.indexOf('\n', start)) {
        emit(text.slice(start, end));
        start = end + 1;
      }
      rest = text.slice(start);
      if (rest.length > MAX_LINE_LENGTH) throw new RangeError('a line is too long');
    },
    end() {
      const line = rest;
      rest = '';
      emit(line);
    },
  };
}
