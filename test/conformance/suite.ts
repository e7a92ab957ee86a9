/** The conformance suite: everything in the protocol that can be observed from outside, run against one target. */
import { describe } from 'vitest';
import { badInput } from './suite/bad-input.ts';
import { badWire } from './suite/bad-wire.ts';
import { errors, otherOrigins } from './suite/errors.ts';
import { expiry } from './suite/expiry.ts';
import { filters } from './suite/filters.ts';
import { heartbeats } from './suite/heartbeats.ts';
import { idempotency } from './suite/idempotency.ts';
import { identity } from './suite/identity.ts';
import { limits } from './suite/limits.ts';
import { nodes } from './suite/nodes.ts';
import { operations } from './suite/operations.ts';
import { presence } from './suite/presence.ts';
import { presenceStreams } from './suite/presence-streams.ts';
import { readingMany } from './suite/reading-many.ts';
import { readingPages } from './suite/reading-pages.ts';
import { readingSse } from './suite/reading-sse.ts';
import { restart, stop } from './suite/restart.ts';
import { revocation } from './suite/revocation.ts';
import { expiredHistory, startingPoints } from './suite/starting-points.ts';
import { streams } from './suite/streams.ts';
import { type Suite, type Target, testOf } from './suite/target.ts';
import { tickets } from './suite/tickets.ts';
import { topics } from './suite/topics.ts';
import { writing } from './suite/writing.ts';

/** In the order of the protocol; what stops the server comes last. */
const PARTS: readonly ((suite: Suite) => void)[] = [
  topics,
  readingSse,
  readingMany,
  readingPages,
  startingPoints,
  filters,
  streams,
  writing,
  idempotency,
  identity,
  tickets,
  revocation,
  expiry,
  presence,
  presenceStreams,
  errors,
  otherOrigins,
  limits,
  operations,
  nodes,
  badInput,
  badWire,
];
/** These wait for most of their time, and do so side by side. */
const WAITING: readonly ((suite: Suite) => void)[] = [heartbeats, expiredHistory];
const LAST: readonly ((suite: Suite) => void)[] = [restart, stop];

/** Registers the suite's tests for a target, which must answer by the time that they run. */
export function conformance(target: Target): void {
  const suite: Suite = { it: testOf(target), target };
  describe(target.name, () => {
    for (const part of PARTS) part(suite);
    const { fast, retention } = target.features ?? {};
    if (!fast || retention !== undefined)
      describe('in time', { concurrent: true }, () => {
        for (const part of WAITING) part(suite);
      });
    for (const part of LAST) part(suite);
  });
}
