/** Grants: what a token's `sluice` claim allows (protocol section 4). */
import { z } from 'zod';
import { compileTopicPattern, isTopicPattern, type TopicPattern } from './topic.ts';

/** What can be granted on a topic. */
export type Action = 'subscribe' | 'publish' | 'presence';

/** The most patterns of one action. */
export const MAX_PATTERNS = 200;

const patterns = z.array(z.string().refine(isTopicPattern, 'not a topic pattern')).max(MAX_PATTERNS).optional();

/** The `sluice` claim. */
export const grantsSchema = z.object({
  subscribe: patterns,
  publish: patterns,
  presence: patterns,
  admin: z.boolean().optional(),
});

export type GrantsClaim = z.infer<typeof grantsSchema>;

/** A compiled claim: answers by topic. */
export interface Grants {
  readonly admin: boolean;
  /** Whether the action is granted on the topic. `admin` alone grants no topic. */
  allows(action: Action, topic: string): boolean;
}

/** Grants nothing. */
export const NO_GRANTS: Grants = { admin: false, allows: () => false };

/** Grants everything, administration included. */
export const ALL_GRANTS: Grants = { admin: true, allows: () => true };

/** Compiles a claim; patterns that are not legal grant nothing. */
export function compileGrants(claim: GrantsClaim): Grants {
  const compiled: Record<Action, readonly TopicPattern[]> = {
    subscribe: compile(claim.subscribe),
    publish: compile(claim.publish),
    presence: compile(claim.presence),
  };
  return {
    admin: claim.admin === true,
    allows: (action, topic) => compiled[action].some((covers) => covers(topic)),
  };
}

function compile(list: readonly string[] = []): readonly TopicPattern[] {
  return list.map(compileTopicPattern).filter((pattern) => pattern !== undefined);
}
