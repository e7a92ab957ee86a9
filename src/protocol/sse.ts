/**
 * Server-Sent Events: blocks out, blocks in (WHATWG HTML, section 9.2).
 *
 * The encoder cannot be made to emit a field or a block that was not asked for: `data` is split at every line break
 * that the format knows, and `id` and `event` are refused if they contain one.
 */

/** One block of an event stream. */
export interface SseBlock {
  readonly data: string;
  /** The `event:` field; absent means `message`. */
  readonly event?: string | undefined;
  /** The `id:` field: what the client sends as `Last-Event-ID` from here on. */
  readonly id?: string | undefined;
  /** The `retry:` field, in milliseconds. */
  readonly retry?: number | undefined;
}

const LINE_BREAK = /\r\n|\r|\n/;
const FORBIDDEN = /[\r\n\0]/;

/** Encodes one block. Throws `RangeError` when `id` or `event` holds a line break or NUL: a fault in the caller. */
export function encodeSse(block: SseBlock): string {
  if (FORBIDDEN.test(block.event ?? '') || FORBIDDEN.test(block.id ?? ''))
    throw new RangeError('a field of an event stream cannot hold a line break');
  let text = '';
  if (block.event !== undefined) text += `event: ${block.event}\n`;
  if (block.retry !== undefined) text += `retry: ${block.retry}\n`;
  if (block.id !== undefined) text += `id: ${block.id}\n`;
  const lines = LINE_BREAK.test(block.data) ? block.data.split(LINE_BREAK) : [block.data];
  for (const line of lines) text += `data: ${line}\n`;
  return `${text}\n`;
}

/** The most characters of an unfinished block that a parser holds; our server's largest block stays far below. */
export const MAX_BLOCK_LENGTH = 4 * 1024 * 1024;

/**
 * Parses an event stream, fed in pieces of any size.
 *
 * @param onBlock called for every finished block that has data, in order; `id` is the last id seen so far, as the
 *   specification wants, `event` is absent for the default type, and `retry` may be of a block before that had no data
 * @returns `push`, which throws `RangeError` when an unfinished block outgrows {@link MAX_BLOCK_LENGTH}
 */
export function createSseParser(onBlock: (block: SseBlock) => void): { push(chunk: string): void } {
  let rest = '';
  let first = true;
  let afterReturn = false;
  let data: string[] = [];
  let size = 0;
  let event: string | undefined;
  let retry: number | undefined;
  let id: string | undefined;

  function take(line: string): void {
    if (line === '') {
      if (data.length > 0) {
        onBlock({ data: data.join('\n'), event, id, retry });
        retry = undefined;
      }
      data = [];
      size = 0;
      event = undefined;
      return;
    }
    const colon = line.indexOf(':');
    if (colon === 0) return;
    const name = colon === -1 ? line : line.slice(0, colon);
    const raw = colon === -1 ? '' : line.slice(colon + 1);
    const value = raw.startsWith(' ') ? raw.slice(1) : raw;
    if (name === 'data') {
      data.push(value);
      // An empty line takes memory too.
      size += value.length + 1;
    } else if (name === 'event') event = value === '' ? undefined : value;
    else if (name === 'id' && !value.includes('\0')) id = value;
    else if (name === 'retry' && /^[0-9]+$/.test(value) && Number.isSafeInteger(Number(value))) retry = Number(value);
  }

  return {
    push(chunk) {
      if (chunk === '') return;
      // A CR ends its line at once; a LF right after it, perhaps in the next piece, belongs to it.
      let start = (first && chunk.startsWith('\uFEFF')) || (afterReturn && chunk.startsWith('\n')) ? 1 : 0;
      first = false;
      afterReturn = false;
      let cr = chunk.indexOf('\r', start);
      let lf = chunk.indexOf('\n', start);
      while (cr !== -1 || lf !== -1) {
        const isReturn = lf === -1 || (cr !== -1 && cr < lf);
        const end = isReturn ? cr : lf;
        take(rest + chunk.slice(start, end));
        rest = '';
        start = isReturn && lf === end + 1 ? end + 2 : end + 1;
        afterReturn = isReturn && start === chunk.length && lf !== end + 1;
        // Each is looked for again only when it was passed, so that a piece is scanned once.
        if (cr !== -1 && cr < start) cr = chunk.indexOf('\r', start);
        if (lf !== -1 && lf < start) lf = chunk.indexOf('\n', start);
      }
      rest += chunk.slice(start);
      if (rest.length + size > MAX_BLOCK_LENGTH) throw new RangeError('an event stream block is too long');
    },
  };
}
