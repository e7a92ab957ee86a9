/**
 * What every store promises, whatever keeps it: the prose of `src/store/store.ts`, sentence by sentence.
 *
 * `nodes` are two handles on one store, as two server processes have them; where the store lives in one process they may be
 * one. Every test works on topics of its own.
 */
import { describe } from 'vitest';
import type { Store } from '../../src/store/store.ts';
import { appending } from './contract/appending.ts';
import { attending } from './contract/attending.ts';
import { auditing } from './contract/auditing.ts';
import { compacting } from './contract/compacting.ts';
import { epochs } from './contract/epochs.ts';
import { facts } from './contract/facts.ts';
import { idempotency } from './contract/idempotency.ts';
import { listing } from './contract/listing.ts';
import { pruning } from './contract/pruning.ts';
import { reading } from './contract/reading.ts';

export interface StoreHarness {
  readonly nodes: readonly [Store, Store];
  /** Closes both and opens two again on what is kept; absent where nothing is. The harness's `nodes` are the new ones. */
  readonly reopen?: () => Promise<void>;
  /** Another store, with nothing in it. */
  other(): Promise<Store>;
  /** What the store takes for the present, ms since 1970. */
  now(): number;
  /** Makes everything that is stored so many milliseconds older; negative: the clock went back since. */
  age(ms: number): Promise<void>;
  /** A topic whose append fails inside the transaction, of no fault of the medium; absent where none is known. */
  readonly poison?: string;
  close(): Promise<void>;
}

/** Gives the harness of the running suite. */
export type Harness = () => StoreHarness;

export function describeStore(name: string, harness: Harness): void {
  describe(`the store in ${name}`, () => {
    describe('appending', () => appending(harness));
    describe('reading', () => reading(harness));
    describe('epochs', () => epochs(harness));
    describe('listing', () => listing(harness));
    describe('idempotency', () => idempotency(harness));
    describe('pruning', () => pruning(harness));
    describe('compacting', () => compacting(harness));
    describe('auditing', () => auditing(harness));
    describe('attending', () => attending(harness));
    describe('revocations, secrets, health', () => facts(harness));
  });
}
