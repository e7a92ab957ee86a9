/** zod at the edge: what does not fit becomes a problem that names each mistake and where it is. */
import { zValidator } from '@hono/zod-validator';
import type { ValidationTargets } from 'hono';
import type { z } from 'zod';
import type { ProblemCode, ProblemIssue } from '../protocol/problem.ts';
import { ProblemError } from './problem-error.ts';

/** The most mistakes that an answer names. */
export const MAX_ISSUES = 20;
/** Of a message that names what was sent, in UTF-16 units. */
const MAX_MESSAGE = 500;

/** Members with a code of their own. */
const CODES: Readonly<Partial<Record<string, ProblemCode>>> = {
  topic: 'invalid-topic',
  topics: 'invalid-topic',
  remove: 'invalid-topic',
  after: 'invalid-cursor',
  lastEventId: 'invalid-cursor',
  filter: 'invalid-filter',
};

/** A validator for one part of the request; the route reads the result by `c.req.valid(target)`. */
export function validate<Target extends keyof ValidationTargets, Schema extends z.ZodType>(
  target: Target,
  schema: Schema,
) {
  return zValidator(target, schema, (result) => {
    if (!result.success) throw invalid(result.error.issues);
  });
}

/** The problem of what zod found. */
export function invalid(issues: readonly z.core.$ZodIssue[]): ProblemError {
  const [first] = issues;
  const name = first?.path.findLast((part) => typeof part === 'string');
  const code = (typeof name === 'string' ? CODES[name] : undefined) ?? 'invalid';
  return new ProblemError(first?.code === 'unrecognized_keys' ? 'invalid' : code, { errors: flatten(issues) });
}

function flatten(issues: readonly z.core.$ZodIssue[], prefix: readonly PropertyKey[] = []): readonly ProblemIssue[] {
  const found: ProblemIssue[] = [];
  for (const issue of issues.slice(0, MAX_ISSUES)) {
    const path = [...prefix, ...issue.path];
    // Of a union, the alternative that came closest says most.
    const closest =
      issue.code === 'invalid_union' ? issue.errors.toSorted((a, b) => depth(b) - depth(a))[0] : undefined;
    if (closest === undefined || closest.length === 0)
      found.push({ path: path.map(String).join('.'), message: issue.message.slice(0, MAX_MESSAGE) });
    else found.push(...flatten(closest, path));
  }
  return found.slice(0, MAX_ISSUES);
}

function depth(issues: readonly z.core.$ZodIssue[]): number {
  return Math.max(0, ...issues.map(({ path, code }) => path.length * 2 + (code === 'invalid_type' ? 0 : 1)));
}
