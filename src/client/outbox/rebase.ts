/** Makes a write of a record follow one that was made just before it, so that a user's second edit does not conflict with their first. */
import type { Mutation, Write } from '../mutation.ts';
import { isObject } from './verdict.ts';

/**
 * The write as it is once `before` was applied. Both began with the same version, so who made the second had seen the first: it is now based on
 * what the first made. Where that holds changes of others too, which nobody had seen, the second follows only as far as it touches nothing but
 * fields that became what the first made them; else it keeps its base, and the server compares.
 *
 * @returns `write` itself where it stays as it is
 */
export function rebase(write: Write, { write: before, answer }: Mutation): Write {
  const base = baseOf(write);
  const version = answer?.version;
  if (version === undefined || base === undefined || base !== baseOf(before)) return write;
  if (answer?.merged && !isWithin(write, before, answer.body)) return write;
  if (write.kind === 'patch') return { ...write, base: version };
  return write.kind === 'replace' || write.kind === 'delete' ? { ...write, version } : write;
}

function baseOf(write: Write): number | undefined {
  if (write.kind === 'patch') return write.base;
  return write.kind === 'replace' || write.kind === 'delete' ? write.version : undefined;
}

function isWithin(write: Write, before: Write, record: unknown): boolean {
  if (write.kind !== 'patch' || before.kind !== 'patch' || !isObject(record)) return false;
  return Object.keys(write.patch).every(
    (field) =>
      Object.hasOwn(before.patch, field) && JSON.stringify(before.patch[field]) === JSON.stringify(record[field]),
  );
}
