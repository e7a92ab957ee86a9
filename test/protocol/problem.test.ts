import { describe, expect, it } from 'vitest';
import { PROBLEMS, type ProblemCode, problem } from '../../src/protocol/problem.ts';
import { problemSchema } from '../../src/protocol/schemas.ts';

const codes = Object.keys(PROBLEMS) as ProblemCode[];
/** The statuses of protocol section 7, 408 and 500. */
const STATUSES = [400, 401, 403, 404, 405, 406, 408, 409, 410, 412, 413, 415, 422, 428, 429, 500, 503];

describe('the problem codes', () => {
  it.each(codes)('%s has a status of the protocol, and its document is as the schema says', (code) => {
    expect(STATUSES).toContain(PROBLEMS[code].status);
    expect(code).toMatch(/^[a-z]+(-[a-z]+)*$/);
    const made = problem(code, 'why', [{ path: 'topics.0', message: 'what' }]);
    expect(problemSchema.parse(made)).toEqual(made);
    expect(made).toMatchObject({ code, status: PROBLEMS[code].status, title: PROBLEMS[code].title, detail: 'why' });
  });

  it('use every status of the protocol, and no title twice', () => {
    expect([...new Set(codes.map((code) => PROBLEMS[code].status))].sort()).toEqual(STATUSES);
    expect(new Set(codes.map((code) => PROBLEMS[code].title)).size).toBe(codes.length);
    expect(new Set(codes.map((code) => problem(code).type)).size).toBe(codes.length);
  });

  it('leave out what is not said', () => {
    expect(Object.keys(problem('not-found'))).toEqual(['type', 'title', 'status', 'code']);
  });
});
