/** May this principal do this on this topic? Grants, and the embedding application's policy over them (protocol section 4). */
import type { Action } from '../protocol/grants.ts';
import type { Policy, Principal } from './principal.ts';

export interface Rights {
  /** Synchronous and without allocation: it is asked for every topic of every request. */
  may(principal: Principal, action: Action, topic: string): boolean;
}

/**
 * What the policy answers holds; where it answers `undefined`, the grants decide. A ticket is the exception: it is a read-only
 * credential for the topics that it names, so a policy may take from it but cannot add to it.
 *
 * @param policy must not throw: what it throws is a fault of the application and fails the request
 */
export function createRights(policy?: Policy): Rights {
  if (policy === undefined) return { may: (principal, action, topic) => principal.grants.allows(action, topic) };
  return {
    may(principal, action, topic) {
      if (principal.kind === 'ticket' && !principal.grants.allows(action, topic)) return false;
      return policy(principal, action, topic) ?? principal.grants.allows(action, topic);
    },
  };
}
