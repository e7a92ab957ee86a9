/** How the value of each setting is read from text, and what it must be when it cannot be. */
import { z } from 'zod';
import { type GrantsClaim, grantsSchema } from '../protocol/grants.ts';
import { isTopicPattern } from '../protocol/topic.ts';
import { isLoopbackName } from './loopback-name.ts';
import { parseDuration, parseSize } from './units.ts';

/** The most items of a list. */
const MAX_ITEMS = 200;

/**
 * Makes a schema a setting.
 *
 * @param fallback the default as text, read like any other value; `undefined` when there is none
 * @param meaning one sentence of Markdown
 * @param shown what documentation says of the default when `fallback` does not say it
 */
export function setting<Value extends z.ZodType<unknown, string>>(
  value: Value,
  fallback: string,
  meaning: string,
): z.ZodPrefault<Value>;
export function setting<Value extends z.ZodType<unknown, string>>(
  value: Value,
  fallback: undefined,
  meaning: string,
  shown?: string,
): z.ZodOptional<Value>;
export function setting<Value extends z.ZodType<unknown, string>>(
  value: Value,
  fallback: string | undefined,
  meaning: string,
  shown?: string,
): z.ZodType {
  if (fallback === undefined) return value.optional().meta({ description: meaning, shown: shown ?? '' });
  return z.prefault(value, fallback as z.input<Value>).meta({ description: meaning, shown: `\`${fallback}\`` });
}

/** Text that `read` understands; `undefined` from it means that the text is not `expected`. */
export function text<Value>(read: (value: string) => Value | undefined, expected: string) {
  return z.string().transform((value, context): Value => {
    const result = read(value.trim());
    if (result !== undefined) return result;
    context.issues.push({ code: 'custom', message: expected, input: value });
    return z.NEVER;
  });
}

export function whole(low: number, high: number) {
  return text(
    (value) => (/^[0-9]{1,15}$/.test(value) && inRange(Number(value), low, high) ? Number(value) : undefined),
    `a whole number from ${low} to ${high}`,
  );
}

export function size(low: number, high: number) {
  return text((value) => {
    const bytes = parseSize(value);
    return bytes !== undefined && inRange(bytes, low, high) ? bytes : undefined;
  }, `a size from ${low} to ${high} bytes, such as 512KiB or 1MiB`);
}

/** A bound that can be absent: `none` and `0` are read as `undefined`. */
function bound(read: (value: string) => number | undefined, expected: string) {
  return text((value) => {
    if (value.toLowerCase() === 'none') return { bound: undefined };
    const quantity = value === '0' ? 0 : read(value);
    if (quantity === undefined) return undefined;
    return { bound: quantity === 0 ? undefined : quantity };
  }, `${expected}, or none`).transform((result) => result.bound);
}

const count = (value: string): number | undefined => (/^[0-9]{1,15}$/.test(value) ? Number(value) : undefined);

export const retentionAge = () => bound(parseDuration, 'a duration such as 12h or 7d');
/** A duration, from a bound on, in ms. */
export const duration = (low: number, expected: string) =>
  text((value) => {
    const ms = parseDuration(value);
    return ms !== undefined && ms >= low ? ms : undefined;
  }, expected);
export const retentionEvents = () => bound(count, 'a whole number');
export const retentionBytes = () => bound(parseSize, 'a size such as 64MiB');
export const limit = () => bound(count, 'a whole number');

export function list() {
  return text(items, `a list separated by commas, of at most ${MAX_ITEMS} items`);
}

export function patterns() {
  return text((value) => {
    const all = items(value);
    return all?.every(isTopicPattern) ? all : undefined;
  }, 'topic patterns separated by commas, such as prices:*,state:**');
}

export function origins() {
  return text((value): readonly string[] | '*' | undefined => {
    if (value === '*') return '*';
    const all = items(value)?.map((item) => item.replace(/\/$/, ''));
    return all?.every((item) => httpParts(item)?.origin === item) ? all : undefined;
  }, 'origins such as https://app.example.com separated by commas, or *');
}

/** Anonymous callers never administer, so `admin` is refused rather than dropped. */
export function grants() {
  const schema = grantsSchema.omit({ admin: true }).strict();
  return text((value): GrantsClaim | undefined => {
    try {
      return schema.safeParse(JSON.parse(value)).data;
    } catch {
      // Not JSON: the caller says what it must be.
      return undefined;
    }
  }, 'JSON such as {"subscribe":["public:**"]}, with lists of topic patterns under subscribe, publish and presence only');
}

/** The text itself when it is a URL of one of these protocols. */
export function url(value: string, protocols: readonly string[]): string | undefined {
  return URL.canParse(value) && protocols.includes(new URL(value).protocol) ? value : undefined;
}

/** The text itself when it is an https URL, or an http URL of this machine. */
export function httpUrl(value: string): string | undefined {
  const parts = httpParts(value);
  if (parts === undefined) return undefined;
  const { protocol, hostname } = parts;
  return protocol === 'https:' || isLoopbackName(hostname) ? value : undefined;
}

function httpParts(value: string): URL | undefined {
  return url(value, ['http:', 'https:']) === undefined ? undefined : new URL(value);
}

function items(value: string): readonly string[] | undefined {
  const all = value
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
  return all.length > 0 && all.length <= MAX_ITEMS ? all : undefined;
}

function inRange(value: number, low: number, high: number): boolean {
  return value >= low && value <= high;
}
