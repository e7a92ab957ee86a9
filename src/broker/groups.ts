/**
 * The live subscriptions of a topic, in groups that choose the same events.
 *
 * Groups that ask for a value are found by the values that events have: of ten thousand groups that each want another one, an event
 * concerns one or two, and no others are asked.
 */
import type { LogEvent } from '../protocol/event-batch.ts';
import type { LocalSubscription } from './local-subscription.ts';
import type { SelectionIndex, Selector } from './selection.ts';

/** Live subscriptions that choose the same events. */
export interface Group {
  readonly selector: Selector;
  readonly live: Set<LocalSubscription>;
}

/** Groups by the values they ask for. */
interface ValueIndex {
  readonly valuesOf: SelectionIndex['valuesOf'];
  readonly groups: Map<string, Set<Group>>;
}

export class Groups {
  readonly #byName = new Map<string, Group>();
  /** Those that any event may concern. */
  readonly #unindexed = new Set<Group>();
  readonly #indexes = new Map<string, ValueIndex>();

  add(subscription: LocalSubscription): void {
    const { selector } = subscription;
    let group = this.#byName.get(selector.name);
    if (group === undefined) {
      group = { selector, live: new Set() };
      this.#byName.set(selector.name, group);
      if (selector.index === undefined) this.#unindexed.add(group);
      else this.#enter(group, selector.index);
    }
    group.live.add(subscription);
  }

  delete(subscription: LocalSubscription): void {
    const group = this.#byName.get(subscription.selector.name);
    if (!group?.live.delete(subscription) || group.live.size > 0) return;
    const { name, index } = group.selector;
    this.#byName.delete(name);
    if (index === undefined) this.#unindexed.delete(group);
    else this.#remove(group, index);
  }

  /** Every group. */
  all(): Iterable<Group> {
    return this.#byName.values();
  }

  /** The groups that may choose any of the events. */
  concernedBy(events: readonly LogEvent[]): Iterable<Group> {
    if (this.#indexes.size === 0) return this.#unindexed;
    const concerned = new Set(this.#unindexed);
    for (const { valuesOf, groups } of this.#indexes.values()) {
      const values = events.map(valuesOf);
      if (values.includes(undefined)) return this.all();
      for (const own of values)
        for (const value of own ?? []) for (const group of groups.get(value) ?? []) concerned.add(group);
    }
    return concerned;
  }

  #enter(group: Group, { attribute, valuesOf, values }: SelectionIndex): void {
    let index = this.#indexes.get(attribute);
    if (index === undefined) {
      index = { valuesOf, groups: new Map() };
      this.#indexes.set(attribute, index);
    }
    for (const value of values) {
      const groups = index.groups.get(value);
      if (groups === undefined) index.groups.set(value, new Set([group]));
      else groups.add(group);
    }
  }

  #remove(group: Group, { attribute, values }: SelectionIndex): void {
    const index = this.#indexes.get(attribute);
    for (const value of values) {
      const groups = index?.groups.get(value);
      if (groups?.delete(group) && groups.size === 0) index?.groups.delete(value);
    }
    if (index?.groups.size === 0) this.#indexes.delete(attribute);
  }
}
