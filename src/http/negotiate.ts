/** Which representation a reader gets (protocol section 2; RFC 9110 section 12.5.1). */
import { parseAccept } from 'hono/utils/accept';
import type { Format } from '../protocol/schemas.ts';

/** In order of preference where the reader has none. */
const TYPES: readonly (readonly [Format, string])[] = [
  ['sse', 'text/event-stream'],
  ['ndjson', 'application/x-ndjson'],
  ['json', 'application/json'],
];

/** The format for an `Accept` header; `undefined` when it admits none. */
export function negotiate(accept: string | undefined): Format | undefined {
  if (accept === undefined || accept.trim() === '') return 'sse';
  const ranges = parseAccept(accept);
  let best: { format: Format; q: number } | undefined;
  for (const [format, type] of TYPES) {
    const q = quality(ranges, type);
    if (q > (best?.q ?? 0)) best = { format, q };
  }
  return best?.format;
}

/** The quality that the most specific range gives to a type. */
function quality(ranges: ReturnType<typeof parseAccept>, type: string): number {
  const [main] = type.split('/', 1);
  for (const range of [type, `${main}/*`, '*/*']) {
    const found = ranges.find((each) => each.type.toLowerCase() === range);
    if (found !== undefined) return found.q;
  }
  return 0;
}
