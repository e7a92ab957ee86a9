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
import { limits, limitsOfGone } from './suite/limits.ts';
import { nodes } from './suite/nodes.ts';
import { operations, operationsOfGone } from './suite/operations.ts';
import { presence } from './suite/presence.ts';
import { presenceStreams } from './suite/presence-streams.ts';
import { readingMany } from './suite/reading-many.ts';
import { readingPages } from './suite/reading-pages.ts';
import { readingSse } from './suite/reading-sse.ts';
import { restart, stop } from './suite/restart.ts';
import { revocation } from './suite/revocation.ts';
import { expiredHistory, startingPoints } from './suite/starting-points.ts';
import { streams } from './suite/streams.ts';
import { goneMsOf, type Suite, type Target, testOf } from './suite/target.ts';
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
/** These wait until a reader that is gone is noticed. */
const GONE: readonly ((suite: Suite) => void)[] = [limitsOfGone, operationsOfGone];
/** A reader is noticed to be gone so soon that waiting for it needs no company, in ms. */
const SOON_MS = 10_000;
/** These wait for most of their time, and do so side by side. */
const WAITING: readonly ((suite: Suite) => void)[] = [heartbeats, expiredHistory];
const LAST: readonly ((suite: Suite) => void)[] = [restart, stop];

/** Registers the suite's tests for a target, which must answer by the time that they run. */
export function conformance(target: Target): void {
  const suite: Suite = { it: testOf(target), target };
  describe(target.name, () => {
    for (const part of PARTS) part(suite);
    const { fast, retention } = target.features ?? {};
    const isSoon = goneMsOf(target) <= SOON_MS;
    if (isSoon) for (const part of GONE) part(suite);
    if (!fast || retention !== undefined || !isSoon)
      describe('in time', { concurrent: true }, () => {
        for (const part of isSoon ? WAITING : [...WAITING, ...GONE]) part(suite);
      });
    for (const part of LAST) part(suite);
  });
}
