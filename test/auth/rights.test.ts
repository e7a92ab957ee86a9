import { describe, expect, it } from 'vitest';
import { readClaims } from '../../src/auth/claims.ts';
import type { Policy, Principal } from '../../src/auth/principal.ts';
import { createRights } from '../../src/auth/rights.ts';

const ada = readClaims({ sub: 'ada', sluice: { subscribe: ['a', 'b'], publish: ['a'] } }) as Principal;
const ticket: Principal = {
  ...ada,
  kind: 'ticket',
  grants: { admin: false, allows: (action, topic) => action === 'subscribe' && topic === 'a' },
};

describe('rights', () => {
  it('are the grants when there is no policy', () => {
    const { may } = createRights();
    expect(may(ada, 'subscribe', 'a')).toBe(true);
    expect(may(ada, 'publish', 'b')).toBe(false);
    expect(may(ada, 'presence', 'a')).toBe(false);
  });

  it('are what the policy says, and the grants where it says nothing', () => {
    const policy: Policy = (_, action, topic) => (topic === 'b' ? action === 'publish' : undefined);
    const { may } = createRights(policy);
    expect(may(ada, 'publish', 'b')).toBe(true);
    expect(may(ada, 'subscribe', 'b')).toBe(false);
    expect(may(ada, 'subscribe', 'a')).toBe(true);
    expect(may(ada, 'presence', 'a')).toBe(false);
  });

  it('of a ticket can be taken away by a policy, but not added to', () => {
    const generous = createRights(() => true);
    expect(generous.may(ada, 'publish', 'z')).toBe(true);
    expect(generous.may(ticket, 'subscribe', 'a')).toBe(true);
    expect(generous.may(ticket, 'publish', 'a')).toBe(false);
    expect(generous.may(ticket, 'subscribe', 'b')).toBe(false);
    expect(createRights(() => false).may(ticket, 'subscribe', 'a')).toBe(false);
  });
});
