/**
 * History for subscriptions, and how it is joined to what their wire tells.
 *
 * History is read by pages while the wire begins at the present moment. What the wire tells meanwhile is kept. A page that was asked for
 * once the wire was live has all that the wire had passed by then: from there on what was kept goes on, and then the wire. The wire is
 * never set back: what it is told after that could be of the reading before or of the one after, and nobody could say of which.
 */
import type { Cursor } from '../../protocol/cursor.ts';
import type { Event } from '../../protocol/event.ts';
import { isFinal } from '../connection/answers.ts';
import { backoff } from '../connection/backoff.ts';
import type { Request } from '../request.ts';
import { catchUp } from './catch-up.ts';
import type { LiveSubscription } from './live-subscription.ts';
import type { Wire } from './wire.ts';

export interface HistoryContext {
  readonly request: Request;
  /** 0 to 1, 1 excluded */
  readonly random: () => number;
  /** Told every event, before the subscription is. */
  readonly onEvent?: ((event: Event) => void) | undefined;
  readonly refused: (subscription: LiveSubscription, code: string) => void;
  /** It has all up to what the wire will tell next. */
  readonly joined: (subscription: LiveSubscription, wire: Wire) => void;
}

export interface History {
  /** Reads from where the subscription stands, for as long as it takes. */
  read(subscription: LiveSubscription, wire: Wire): void;
  /** The wire is live: from here on nothing is missing on it. */
  live(subscription: LiveSubscription): void;
  /** The wire tells an event. @param at absent for an ephemeral one */
  keep(subscription: LiveSubscription, event: Event, at: Cursor | undefined): void;
  /** Something is missing on the wire. */
  interrupt(subscription: LiveSubscription): void;
  /** Reads on only for those who still are to be read for. */
  retain(isWanted: (subscription: LiveSubscription, wire: Wire) => boolean): void;
}

/** The most events that are kept for a subscription while it reads: beyond, it reads on, and what comes then is kept anew. */
const MAX_KEPT = 1000;

interface Kept {
  /** Where the wire stood. */
  readonly from: Cursor | undefined;
  readonly events: { readonly event: Event; readonly at: Cursor | undefined }[];
}

interface Reading {
  readonly wire: Wire;
  /** Since the wire is live, as far as nothing is missing. */
  kept: Kept | undefined;
  /** Whether pages are on their way. */
  busy: boolean;
  /** Ends the wait for the next try. */
  hurry: (() => void) | undefined;
}

export function createHistory({ request, random, onEvent, refused, joined }: HistoryContext): History {
  const readings = new Map<LiveSubscription, Reading>();

  function keepOn(reading: Reading): void {
    if (reading.wire.live) reading.kept ??= { from: reading.wire.position(), events: [] };
  }

  /** @param since what was being kept when the last pages were asked for */
  function join(subscription: LiveSubscription, reading: Reading, since?: Kept): boolean {
    const { kept, wire } = reading;
    const has = subscription.position();
    if (kept === undefined) return false;
    const { from } = kept;
    if (from !== undefined && has !== undefined ? from.epoch !== has.epoch || from.seq > has.seq : kept !== since)
      return false;
    readings.delete(subscription);
    subscription.joining = false;
    for (const { event, at } of kept.events) subscription.take(event, at);
    joined(subscription, wire);
    return true;
  }

  function wait(reading: Reading, ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      reading.hurry = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  async function run(subscription: LiveSubscription, reading: Reading): Promise<void> {
    const isWanted = () => readings.get(subscription) === reading && !subscription.suspended();
    reading.busy = true;
    for (let attempts = 1; isWanted(); attempts += 1) {
      keepOn(reading);
      const { kept } = reading;
      const end = await catchUp(subscription, request, isWanted, onEvent);
      if (!isWanted()) break;
      if (end !== undefined && isFinal(end.trouble)) {
        readings.delete(subscription);
        refused(subscription, end.trouble.code);
        break;
      }
      if (end === undefined && (join(subscription, reading, kept) || !reading.wire.live)) break;
      // At first the wire was ahead, which is not a failure: the next page has all that it has passed.
      if (end !== undefined || attempts > 1) await wait(reading, backoff(attempts, random));
    }
    reading.busy = false;
  }

  return {
    read(subscription, wire) {
      const reading: Reading = { wire, kept: undefined, busy: false, hurry: undefined };
      readings.set(subscription, reading);
      void run(subscription, reading);
    },
    live(subscription) {
      const reading = readings.get(subscription);
      if (reading === undefined) return;
      // Where a stream comes through, pages do.
      reading.hurry?.();
      keepOn(reading);
      if (!reading.busy && !join(subscription, reading)) void run(subscription, reading);
    },
    keep(subscription, event, at) {
      const reading = readings.get(subscription);
      reading?.kept?.events.push({ event, at });
      if (reading?.kept !== undefined && reading.kept.events.length > MAX_KEPT) reading.kept = undefined;
    },
    interrupt(subscription) {
      const reading = readings.get(subscription);
      if (reading !== undefined) reading.kept = undefined;
    },
    retain(isWanted) {
      for (const [subscription, { wire }] of readings) if (!isWanted(subscription, wire)) readings.delete(subscription);
    },
  };
}
