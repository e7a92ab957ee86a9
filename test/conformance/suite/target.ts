/** What the suite is run against, and what it may expect of it. */
import { test } from 'vitest';
import { createKit, type Kit } from './client.ts';

/** A deployment of the protocol. It runs in production mode: a request without a token is granted nothing. */
export interface Target {
  readonly name: string;
  /** Where it answers, perhaps with a path: `https://example.com/realtime`. Asked for anew by each test. */
  readonly url: () => string;
  /** The secret of its HS256 tokens. */
  readonly secret: () => string;
  readonly features?: Features;
}

/** What not every deployment has. What is absent is not tested. */
export interface Features {
  /** The `aud` and `iss` that it asks of tokens. */
  readonly audience?: string;
  readonly issuer?: string;
  /** An origin that it answers across origins. */
  readonly origin?: string;
  /** It keeps the newest `events` of each topic, and forgets the rest within so many milliseconds. */
  readonly retention?: { readonly events: number; readonly withinMs: number };
  /** What one subject may do that is no administrator. */
  readonly limits?: { readonly writesPerSecond: number; readonly streams: number };
  /** Where another node of the same system answers. */
  readonly otherUrl?: () => string;
  /** How long it may take until a reader that has vanished is noticed, in ms: 10,000 unless told. A heartbeat's time where only writing shows it. */
  readonly goneMs?: number;
  /** Something before it reads HTTP, and answers in its own way what is none. */
  readonly edge?: boolean;
  /** Stops it and starts it again; `durable` says whether its logs outlive that. */
  readonly restart?: { readonly run: () => Promise<void>; readonly durable: boolean };
  /** Stops it for good, as an operator would. Comes last. */
  readonly stop?: () => Promise<void>;
  /** Leave out the tests that have to wait: a heartbeat comes after 25 seconds. */
  readonly fast?: boolean;
}

/** How long a vanished reader may stay unnoticed, in ms. */
export function goneMsOf({ features }: Target): number {
  return features?.goneMs ?? 10_000;
}

/** The test function of one target: each test gets a kit of its own, and its streams are closed at its end. */
export function testOf(target: Target) {
  return test.extend<'kit', Kit>('kit', async ({ task }, { onCleanup }) => {
    const kit = createKit(target, task.id);
    onCleanup(() => kit.close());
    return kit;
  });
}

/** What every part of the suite is given. */
export interface Suite {
  readonly it: ReturnType<typeof testOf>;
  readonly target: Target;
}
