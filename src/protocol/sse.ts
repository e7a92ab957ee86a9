/**
 * Server-Sent Events: blocks out, blocks in (WHATWG HTML, section 9.2).
 *
 * The encoder cannot be made to emit a field or a block that was not asked for: `data` is split at every line break that
 * the format knows, and `id` and `event` are refused if they contain one.
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
 *   specification wants, and `event` is absent for the default type
 * @returns `push`, which throws `RangeError` when an unfinished block outgrows {@link MAX_BLOCK_LENGTH}
 */
export function createSseParser(onBlock: (block: SseBlock) => void): { push(chunk: string): void } {
  let rest = '';
  let first = true;
  let data: string[] = [];
  let size = 0;
  let event: string | undefined;
  let retry: number | undefined;
  let id: string | undefined;

  function field(line: string): void {
    if (line === '') {
      if (data.length > 0) onBlock({ data: data.join('\n'), event, id, retry });
      data = [];
      size = 0;
      event = undefined;
      retry = undefined;
      return;
    }
    const colon = line.indexOf(':');
    if (colon === 0) return;
    const name = colon === -1 ? line : line.slice(0, colon);
    const raw = colon === -1 ? '' : line.slice(colon + 1);
    const value = raw.startsWith(' ') ? raw.slice(1) : raw;
    if (name === 'data') {
      data.push(value);
      size += value.length;
    } else if (name === 'event') event = value === '' ? undefined : value;
    else if (name === 'id' && !value.includes('\0')) id = value;
    else if (name === 'retry' && /^[0-9]+$/.test(value)) retry = Number(value);
  }

  return {
    push(chunk) {
      let text = rest + chunk;
      if (first && text !== '') {
        first = false;
        if (text.startsWith('\uFEFF')) text = text.slice(1);
      }
      let start = 0;
      for (;;) {
        const lf = text.indexOf('\n', start);
        const cr = text.indexOf('\r', start);
        const end = lf === -1 ? cr : cr === -1 ? lf : Math.min(lf, cr);
        // A CR at the very end may be the first half of a CRLF: wait for the next piece.
        if (end === -1 || (end === cr && end === text.length - 1)) break;
        field(text.slice(start, end));
        start = end === cr && text[end + 1] === '\n' ? end + 2 : end + 1;
      }
      rest = text.slice(start);
      if (rest.length + size > MAX_BLOCK_LENGTH) throw new RangeError('an event stream block is too long');
    },
  };
}
