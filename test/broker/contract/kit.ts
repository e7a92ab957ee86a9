/** What the parts of the broker's contract share. */
import type { Start } from '../../../src/broker/broker.ts';
import type { System } from '../system.ts';

export const TOPIC = 'orders';
export const EARLIEST = { kind: 'earliest' } as const;
export const LATEST = { kind: 'latest' } as const;

export interface Kit {
  /** The system of this test. */
  readonly system: System;
  /** The epoch of the topic's log now. */
  epoch(): string;
  /** A start at a seq of the topic's log. */
  cursor(seq: number): Start;
}
