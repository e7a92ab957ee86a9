/** What the components below one provider share: the client, and presences, so that several can show one of them. */
import type { Client } from '../client/create-client.ts';
import type { Fleeting } from '../client/presence/fleeting.ts';
import type { Presence } from '../client/presence/presence.ts';
import { isSame } from '../client/records/json.ts';
import { createShelf, type Held, type Shelf } from './shelf.ts';

/** A membership, and what it has told of itself. */
export interface Own {
  readonly state:
    | { readonly kind: 'joining' | 'present' | 'left' }
    | { readonly kind: 'refused'; readonly code: string };
  /** Tells the others another state, unless it is the one that they were told last. */
  tell(state: unknown): void;
}

export interface Scope {
  readonly client: Client;
  readonly presences: Pick<Shelf<Presence>, 'peek'>;
  readonly memberships: Pick<Shelf<Own>, 'peek'>;
  readonly fleetings: Pick<Shelf<Fleeting>, 'peek'>;
  holdPresence(topic: string): Held<Presence>;
  holdMembership(topic: string, member: string, state: unknown): Held<Own>;
  holdFleeting(kind: 'typing' | 'cursors', topic: string, member: string): Held<Fleeting>;
}

/** What something of a topic is kept under. */
export function keyOf(...parts: readonly string[]): string {
  return JSON.stringify(parts);
}

interface Resident {
  leave(): void;
}

export function createScope(client: Client): Scope {
  const presences = createShelf<Presence>((presence) => presence.close());
  const memberships = createShelf<Own & Resident>((own) => own.leave());
  const fleetings = createShelf<Fleeting & Resident>((fleeting) => fleeting.leave());

  const holdPresence = (topic: string) => presences.hold(keyOf(topic), () => client.presence(topic));

  function join(topic: string, member: string, first: unknown): Own & Resident {
    const presence = holdPresence(topic);
    const membership = presence.value.join(member, first);
    let told = first;
    return {
      get state() {
        return membership.state;
      },
      tell(state) {
        if (isSame(told, state)) return;
        told = state;
        membership.update(state);
      },
      leave() {
        membership.leave();
        presence.release();
      },
    };
  }

  function follow(kind: 'typing' | 'cursors', topic: string, member: string): Fleeting & Resident {
    const presence = holdPresence(topic);
    const fleeting = presence.value[kind](member);
    return {
      get values() {
        return fleeting.values;
      },
      observe: fleeting.observe,
      send: fleeting.send,
      close: fleeting.close,
      leave() {
        fleeting.close();
        presence.release();
      },
    };
  }

  return {
    client,
    presences,
    memberships,
    fleetings,
    holdPresence,
    holdMembership: (topic, member, state) => memberships.hold(keyOf(topic, member), () => join(topic, member, state)),
    holdFleeting: (kind, topic, member) =>
      fleetings.hold(keyOf(kind, topic, member), () => follow(kind, topic, member)),
  };
}
