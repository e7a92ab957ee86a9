import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Action,
  ALL_GRANTS,
  compileGrants,
  grantsSchema,
  MAX_PATTERNS,
  NO_GRANTS,
} from '../../src/protocol/grants.ts';
import { compileTopicPattern } from '../../src/protocol/topic.ts';

const actions: readonly Action[] = ['subscribe', 'publish', 'presence'];
const pattern = fc.constantFrom('a', 'a:*', 'a:**', '*', '**', 'b:c', 'a*', '', '**:a');
const topic = fc.constantFrom('a', 'a:b', 'a:b:c', 'b:c', 'b', '**', '');
const patterns = fc.option(fc.array(pattern, { maxLength: 4 }), { nil: undefined });

describe('grants', () => {
  it('allow an action exactly where one of its own legal patterns covers the topic', () => {
    fc.assert(
      fc.property(
        fc.record({ subscribe: patterns, publish: patterns, presence: patterns }),
        fc.boolean(),
        topic,
        (claim, admin, name) => {
          const grants = compileGrants({ ...claim, admin });
          for (const action of actions)
            expect(grants.allows(action, name)).toBe(
              (claim[action] ?? []).some((each) => compileTopicPattern(each)?.(name) === true),
            );
          expect(grants.admin).toBe(admin);
        },
      ),
    );
  });

  it('of an empty claim are none, and administration grants no topic', () => {
    for (const action of actions) {
      expect(compileGrants({}).allows(action, 'a')).toBe(false);
      expect(compileGrants({ admin: true }).allows(action, 'a')).toBe(false);
      expect(NO_GRANTS.allows(action, 'a')).toBe(false);
      expect(ALL_GRANTS.allows(action, 'a')).toBe(true);
    }
    expect([compileGrants({}).admin, NO_GRANTS.admin, ALL_GRANTS.admin]).toEqual([false, false, true]);
  });

  it('are read from a claim strictly', () => {
    expect(grantsSchema.safeParse({ subscribe: ['a:*'], admin: true }).success).toBe(true);
    for (const bad of [
      null,
      [],
      'all',
      { subscribe: 'a' },
      { subscribe: ['a*'] },
      { publish: [1] },
      { admin: 'true' },
      { admin: 1 },
      { presence: Array.from({ length: MAX_PATTERNS + 1 }, () => 'a') },
    ])
      expect(grantsSchema.safeParse(bad).success).toBe(false);
  });
});
