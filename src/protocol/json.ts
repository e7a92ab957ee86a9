/** Reading JSON that a stranger sent: strict UTF-8, bounded nesting, and a reason instead of an exception. */

/** The deepest nesting accepted; beyond it, recursive code such as `JSON.stringify` would risk its stack. */
export const MAX_JSON_DEPTH = 64;

export type JsonResult =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly reason: 'encoding' | 'depth' | 'syntax' };

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false });

/** Decodes strict UTF-8 (a leading byte order mark is dropped); `undefined` when the bytes are not UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return strict.decode(bytes);
  } catch {
    return undefined;
  }
}

/** Parses one JSON text. */
export function parseJson(text: string): JsonResult {
  if (isTooDeep(text)) return { ok: false, reason: 'depth' };
  try {
    return { ok: true, value: UNSAFE_NUMBER.test(text) ? JSON.parse(text, keepNumber) : JSON.parse(text) };
  } catch {
    return { ok: false, reason: 'syntax' };
  }
}

/** Text that may hold a number beyond what a double keeps: many digits, or a large exponent. */
const UNSAFE_NUMBER = /[0-9.]{16}|[eE][+-]?[0-9]{3}/;

/** `JSON.rawJSON` and the source text that revivers are told (ECMAScript, JSON.parse source text access). */
const { rawJSON } = JSON as { readonly rawJSON?: (text: string) => unknown };

/** Keeps a number as it was written where a double would change it, so that data is passed on unchanged. */
function keepNumber(_: string, value: unknown, context?: { readonly source?: string }): unknown {
  if (typeof value !== 'number' || context?.source === undefined || rawJSON === undefined) return value;
  return String(value) === context.source ? value : rawJSON(context.source);
}

/** Counts brackets outside strings, without building anything. Texts too short to nest that deep are not scanned. */
function isTooDeep(text: string): boolean {
  if (text.length <= MAX_JSON_DEPTH * 2) return false;
  let depth = 0;
  let inString = false;
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index);
    if (inString) {
      if (unit === 0x5c) index += 1;
      else if (unit === 0x22) inString = false;
    } else if (unit === 0x22) inString = true;
    else if (unit === 0x7b || unit === 0x5b) {
      depth += 1;
      if (depth > MAX_JSON_DEPTH) return true;
    } else if (unit === 0x7d || unit === 0x5d) depth -= 1;
  }
  return false;
}
