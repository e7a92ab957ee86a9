/** Newline-delimited JSON: one value a line. */

/** The most characters of a line. */
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
    if (line.length > MAX_LINE_LENGTH) throw new RangeError('a line is too long');
    const trimmed = line.endsWith('\r') ? line.slice(0, -1) : line;
    // Blank as JSON sees it: other white space is not JSON, and is left for the reader to refuse.
    if (/[^ \t\r]/.test(trimmed)) onLine(trimmed);
  }
  return {
    push(chunk) {
      let start = 0;
      for (let end = chunk.indexOf('\n'); end !== -1; end = chunk.indexOf('\n', start)) {
        emit(rest + chunk.slice(start, end));
        rest = '';
        start = end + 1;
      }
      rest += chunk.slice(start);
      if (rest.length > MAX_LINE_LENGTH) throw new RangeError('a line is too long');
    },
    end() {
      const line = rest;
      rest = '';
      emit(line);
    },
  };
}
