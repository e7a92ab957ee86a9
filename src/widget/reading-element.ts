/** An element that reads a topic: holds its reading together while attributes, tickets and its place in the page change. */
import type { Event } from '../protocol/event.ts';
import { SluiceElement } from './element.ts';
import type { Line } from './line.ts';
import type { Status } from './line-state.ts';
import { linesOfPage } from './lines.ts';
import { createReader, type Reader } from './reader.ts';

/** The most events of history. */
const MAX_HISTORY = 1000;

export abstract class ReadingElement extends SluiceElement {
  #identity = '';
  #look = '';
  #types: readonly string[] = [];
  #reader: Reader | undefined;
  #line: Line | undefined;

  /** How many events of history it begins with unless told. */
  protected abstract readonly history: number;
  /** Whether after a gap only the newest events matter. */
  protected abstract readonly newestOnly: boolean;
  /** What was shown is of something else. */
  protected abstract reset(): void;
  protected abstract receive(event: Event): void;
  /** Some events are missing here. */
  protected abstract miss(): void;
  /** All that there is has been received, or the reading is refused. */
  protected abstract settle(how: 'empty' | 'refused'): void;
  /** How values are shown may have changed. */
  protected abstract redraw(): void;

  protected override update(): void {
    const { server, topic, types, key } = this;
    const filter = this.filter ?? '';
    const history = this.whole('last', this.history, MAX_HISTORY);
    // What is read. The ticket is no part of it: with a fresh one the reading goes on.
    const identity = JSON.stringify([server, topic, filter, types, key, history]);
    if (identity !== this.#identity) {
      this.#move(undefined);
      this.#identity = identity;
      this.#types = types?.split(',').map((type) => type.trim()) ?? [];
      this.#reader = topic ? this.#read(topic, history) : undefined;
      this.reset();
    }
    const address = { server, ticket: this.ticket ?? '', filter };
    this.#move(topic && this.isConnected ? linesOfPage().to(address, topic) : undefined);
    const look = JSON.stringify([this.path, this.format, this.order, this.locale, this.isConnected]);
    if (look !== this.#look) this.redraw();
    this.#look = look;
  }

  #move(line: Line | undefined): void {
    const reader = this.#reader;
    if (line === this.#line || reader === undefined) return;
    this.#line?.leave(reader);
    this.#line = line;
    line?.join(reader);
  }

  #read(topic: string, history: number): Reader {
    return createReader(topic, history, this.newestOnly, {
      event: (event) => this.#take(event),
      gap: (gap) => {
        if (this.say('sluice-gap', gap)) this.miss();
      },
      status: (status: Status, code) => {
        this.show(status, code);
        if (status === 'refused') this.settle(status);
      },
      expiring: (at) => this.say('sluice-expiring', { at }),
      settled: () => this.settle('empty'),
    });
  }

  #take(event: Event): void {
    const { key } = this;
    if (this.#types.length > 0 && !this.#types.includes(event.type)) return;
    if (key !== null && event.key !== key) return;
    if (this.say('sluice-event', event)) this.receive(event);
  }
}
