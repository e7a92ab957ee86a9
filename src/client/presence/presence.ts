/** Who is at a topic: members as the server tells them, and memberships of our own (protocol section 5). */
import type { Link } from '../connect.ts';
import { createListeners } from '../listeners.ts';
import type { Request } from '../request.ts';
import type { PresenceChange, PresentMember, Subscription, SubscriptionState } from '../subscription.ts';
import { createFleeting, type Fleeting } from './fleeting.ts';
import { createMembership, type HeldMembership, type Membership } from './membership.ts';

export interface Presence {
  readonly topic: string;
  /** Who is there, by name. The same array as long as nothing has changed; empty until the server has told. */
  readonly members: readonly PresentMember[];
  /** Whether it is told who is there. */
  readonly state: SubscriptionState;
  /** @returns how to stop observing */
  observe(listener: () => void): () => void;
  /** Is there, as this member, until it leaves. @param member 1 to 128 characters, unlike any other's */
  join(member: string, state?: unknown): Membership;
  /** Who is typing: each `send` counts for 5 s. */
  typing(member: string): Fleeting<unknown>;
  /** Where pointers or carets are: the newest of each member, at most ten a second. */
  cursors<Data = unknown>(member: string): Fleeting<Data>;
  close(): void;
}

export interface HeldPresence extends Presence {
  /** Renews all memberships now, also those that were refused: there is another token. */
  renew(): void;
}

export interface PresenceContext {
  /** Told of what goes wrong where nobody else can be told. */
  readonly onError: (error: unknown) => void;
  readonly link: Pick<Link, 'subscribe' | 'request' | 'status' | 'observe'>;
  readonly clock: () => number;
  readonly random: () => number;
  readonly hidden: () => boolean;
  /** Told when it was closed, so that nobody keeps it. */
  readonly onClose?: () => void;
}

const CLOSED = 'this presence was closed';

/** How often members are asked for where there is no stream to tell them, in ms. */
const ASK_MS = 5000;

export function createPresence(
  topic: string,
  { link, clock, random, hidden, onError, onClose }: PresenceContext,
): HeldPresence {
  const { request, subscribe } = link;
  const known = new Map<string, PresentMember>();
  const listeners = createListeners(onError);
  const memberships = new Set<HeldMembership>();
  const closing = new Set<{ close(): void }>();
  let turn: Promise<unknown> = Promise.resolve();
  let isClosed = false;
  let members: readonly PresentMember[] | undefined;
  /** Whether a sync is not complete yet. */
  let partial = false;
  let asking: ReturnType<typeof setTimeout> | undefined;

  function changed(): void {
    members = undefined;
    listeners.tell();
  }

  function take(change: PresenceChange): void {
    if (change.change === 'sync') {
      // It may come in parts, and all but the last say that there is more.
      if (!partial) known.clear();
      partial = change.more === true;
      for (const member of change.members) known.set(member.member, member);
    } else if (change.change === 'leave') known.delete(change.member);
    else {
      const { member, state } = change;
      const since = 'since' in change ? change.since : (known.get(member)?.since ?? '');
      known.set(member, { member, state, since });
    }
    changed();
  }

  /** Polls tell of no members: they are asked for. */
  async function ask(): Promise<void> {
    const answer = await request('GET', `/v1/presence/${encodeURIComponent(topic)}`);
    if (link.status.transport !== 'poll' || subscription.state.kind === 'closed') return;
    partial = false;
    if (answer.kind === 'ok' && isMembers(answer.body)) take({ topic, change: 'sync', members: answer.body.members });
    asking = setTimeout(() => void ask(), ASK_MS);
  }

  /** One request after the other: what is asked for last is what counts. */
  const inTurn: Request = (...asked) => {
    const done = turn.then(() => request(...asked));
    turn = done;
    return done;
  };

  let { state, transport } = link.status;
  const stopObserving = link.observe(() => {
    const now = link.status;
    if (now.transport !== transport) {
      clearTimeout(asking);
      if (now.transport === 'poll') void ask();
    }
    // What is left of a sync comes no more when the connection is another one: that begins anew.
    if (now.state !== state) partial = false;
    // A lease may have ended while there was no connection.
    if (now.state !== state && now.state === 'connected') for (const membership of memberships) membership.renew();
    ({ state, transport } = now);
  });
  const subscription: Subscription = subscribe(topic, { presence: true }, { onPresence: take, onState: changed });
  if (transport === 'poll') void ask();

  function fleeting<Data>(type: string, member: string, every: number, lasts: number): Fleeting<Data> {
    if (isClosed) throw new TypeError(CLOSED);
    const onClose = () => closing.delete(made);
    const made = createFleeting<Data>(
      { topic, type, member, every, lasts },
      { request, subscribe, clock, onClose, onError },
    );
    closing.add(made);
    return made;
  }

  return {
    topic,
    get members() {
      members ??= [...known.values()].toSorted((a, b) => (a.member < b.member ? -1 : 1));
      return members;
    },
    get state() {
      return subscription.state;
    },
    observe: listeners.add,
    join(member, first) {
      if (isClosed) throw new TypeError(CLOSED);
      const made = createMembership(topic, member, first ?? null, {
        request: inTurn,
        clock,
        random,
        hidden,
        onChange() {
          if (made.state.kind === 'left') memberships.delete(made);
          changed();
        },
      });
      memberships.add(made);
      return made;
    },
    typing: (member) => fleeting('typing', member, 2000, 5000),
    cursors: (member) => fleeting('cursor', member, 100, 10_000),
    renew() {
      for (const membership of memberships) membership.renew();
    },
    close() {
      isClosed = true;
      stopObserving();
      clearTimeout(asking);
      subscription.close();
      for (const membership of memberships) membership.leave();
      for (const each of closing) each.close();
      listeners.clear();
      onClose?.();
    },
  };
}

function isMembers(body: unknown): body is { readonly members: readonly PresentMember[] } {
  return Array.isArray((body as { readonly members?: unknown } | null)?.members);
}
