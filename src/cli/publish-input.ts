/** Turning what people pipe in into events, one line each. */
import { type EventInput, encodeEventBody } from '../protocol/event.ts';
import { parseJson } from '../protocol/json.ts';
import { createLineSplitter } from '../protocol/ndjson.ts';

/**
 * How a line is read. `auto`: as JSON if it is JSON, else as a string. `json`: as JSON or not at all. `text`: as a string.
 * `events`: as an event with `data` and perhaps `type`, `key` and `version`, such as `tail --json` prints.
 */
export type InputMode = 'auto' | 'json' | 'text' | 'events';

/** What the options say of every event. */
export interface EventOptions {
  readonly type: string | undefined;
  readonly key: string | undefined;
  readonly ephemeral: boolean;
}

export type LineResult =
  /** `body` is the event as its publisher says it: JSON on one line. */
  { readonly ok: true; readonly body: string } | { readonly ok: false; readonly reason: string };

/** Reads one line, or one argument of the command. */
export function readLine(line: string, mode: InputMode, options: EventOptions): LineResult {
  if (mode === 'text') return { ok: true, body: bodyOf({ ...options, data: line }) };
  const parsed = parseJson(line);
  if (mode === 'events') {
    const event = parsed.ok ? readEvent(parsed.value) : undefined;
    if (event === undefined) return { ok: false, reason: 'it is not a JSON object with the member "data"' };
    return { ok: true, body: bodyOf({ ...event, ...definedOf(options) }) };
  }
  if (parsed.ok) return { ok: true, body: bodyOf({ ...options, data: parsed.value }) };
  if (mode === 'auto') return { ok: true, body: bodyOf({ ...options, data: line }) };
  return { ok: false, reason: parsed.reason === 'depth' ? 'its JSON is nested too deeply' : 'it is not JSON' };
}

/** What an event says for itself; the members that only the server sets are left behind. */
function readEvent(value: unknown): EventInput | undefined {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, 'data')) return undefined;
  const { type, data, key, version, ephemeral } = value as EventInput;
  return { type, data, key, version, ephemeral };
}

function definedOf({ type, key, ephemeral }: EventOptions): Partial<EventInput> {
  return { ...(type !== undefined && { type }), ...(key !== undefined && { key }), ...(ephemeral && { ephemeral }) };
}

function bodyOf(input: EventInput): string {
  const body = `{${encodeEventBody(input)}`;
  return input.ephemeral === true ? `${body.slice(0, -1)},"ephemeral":true}` : body;
}

/**
 * The lines of a byte stream, numbered from 1 over those that are not blank. Bytes that are not UTF-8 become U+FFFD.
 *
 * Asking for the next lines is what makes the source be read on. Throws `RangeError` when a line outgrows
 * `MAX_LINE_LENGTH`.
 */
export async function* linesOf(source: AsyncIterable<Uint8Array>): AsyncGenerator<readonly string[], void, void> {
  let lines: string[] = [];
  const splitter = createLineSplitter((line) => lines.push(line));
  const decoder = new TextDecoder();
  for await (const chunk of source) {
    splitter.push(decoder.decode(chunk, { stream: true }));
    if (lines.length > 0) yield lines;
    lines = [];
  }
  splitter.push(decoder.decode());
  splitter.end();
  if (lines.length > 0) yield lines;
}
