/** Records and patches as they were sent, checked by the collection's schemas. */

import type { z } from 'zod';
import { MAX_KEY } from '../protocol/key.ts';
import type { ProblemIssue } from '../protocol/problem.ts';
import type { Collection } from './collection.ts';
import { refuse } from './outcome.ts';
import { formatKey, isAddressable, keyOfRecord } from './record-key.ts';

/** The most records of one write, and the most mistakes that an answer names. */
export const MAX_RECORDS = 1000;
const MAX_ISSUES = 20;
/** Of a message that names what was sent, in UTF-16 units. */
const MAX_MESSAGE = 500;

/** Values by property, in wire form. */
export type Values = Readonly<Record<string, unknown>>;

/** @throws Refused `invalid` or `too-large` */
export function readNewRecords(collection: Collection, value: unknown): readonly Values[] {
  const { schemas } = collection;
  const read = (each: unknown, prefix: readonly PropertyKey[]) => {
    const values = check(schemas.insert, each, prefix);
    requireAddressable(collection, values, prefix);
    return values;
  };
  if (!Array.isArray(value)) return [read(value, [])];
  if (value.length === 0) throw refuse('invalid', 'At least one record.');
  if (value.length > MAX_RECORDS) throw refuse('too-large', `A write has at most ${MAX_RECORDS} records.`);
  return value.map((each, index) => read(each, [index]));
}

/** A record that no URL could name, and no event, is not created. @throws Refused `invalid` */
function requireAddressable({ key }: Collection, values: Values, prefix: readonly PropertyKey[]): void {
  const parts = key.map(({ property }) => (Object.hasOwn(values, property) ? values[property] : undefined));
  // A part that the database makes is not known yet.
  if (parts.some((part) => part === undefined || part === null)) return;
  const name = formatKey(parts.map((part) => (typeof part === 'string' ? part : JSON.stringify(part))));
  if (isAddressable(name)) return;
  const path = [...prefix, key.map(({ property }) => property).join(',')].map(String).join('.');
  throw refuse('invalid', undefined, [
    { path, message: `a key of 1 to ${MAX_KEY} characters, without control characters, and not . or ..` },
  ]);
}

/**
 * Reads what shall take a record's place.
 *
 * @param key as the path says it; a body that says another is refused
 * @returns values that include the key's
 * @throws Refused `invalid`
 */
export function readReplacement(collection: Collection, value: unknown, key: readonly string[]): Values {
  const values = check(collection.schemas.replace, value);
  const named = Object.fromEntries(collection.key.map(({ property }, at) => [property, key[at]]));
  const whole = { ...named, ...values };
  if (keyOfRecord(collection, whole) !== formatKey(key)) {
    throw refuse('invalid', undefined, [
      { path: collection.key.map(({ property }) => property).join(','), message: 'not the key of the path' },
    ]);
  }
  return whole;
}

/** @throws Refused `invalid` */
export function readPatch({ schemas }: Collection, value: unknown): Values {
  return check(schemas.patch, value);
}

function check(schema: z.ZodType, value: unknown, prefix: readonly PropertyKey[] = []): Values {
  const result = schema.safeParse(withoutPrototype(value));
  if (result.success) return result.data as Values;
  throw refuse('invalid', undefined, flatten(result.error.issues, prefix));
}

/** A field that is called as a member of every object (`toString`) is absent where it was not sent. */
function withoutPrototype(value: unknown): unknown {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isObject ? Object.assign(Object.create(null), value) : value;
}

/** Of a union, the alternative that came furthest says most. */
function flatten(issues: readonly z.core.$ZodIssue[], prefix: readonly PropertyKey[]): readonly ProblemIssue[] {
  return issues
    .slice(0, MAX_ISSUES)
    .flatMap((issue) => {
      const path = [...prefix, ...issue.path];
      const alternatives = issue.code === 'invalid_union' ? issue.errors : [];
      const furthest = alternatives.toSorted((a, b) => depth(b) - depth(a))[0];
      if (furthest !== undefined && depth(furthest) > 0) return flatten(furthest, path);
      return [{ path: path.map(String).join('.'), message: issue.message.slice(0, MAX_MESSAGE) }];
    })
    .slice(0, MAX_ISSUES);
}

function depth(issues: readonly z.core.$ZodIssue[]): number {
  return Math.max(0, ...issues.map(({ path }) => path.length));
}
