/** A client of a collection: reads the list, follows the stream from its cursor, and reads the list again when it is told of a gap. */
import { openSse, type SseConnection } from '../support/sse-client.ts';
import { until } from '../support/until.ts';
import type { System } from './system.ts';

/** Which rows a reader wants: as the API is asked, and as the database is. */
export interface Wish {
  readonly filters: readonly string[];
  readonly sql: string;
}

interface Row {
  readonly id: string;
  readonly title: string;
}

export class Reader {
  readonly collection: string;
  readonly sub: string;
  level: number;
  readonly wish: Wish;
  readonly #system: System;
  readonly #node: number;
  #state = new Map<string, string>();
  /** Keys that were on its wire while it had a level, by level. */
  readonly #told = new Map<number, Set<string>>();
  #cursor = '';
  #stream: string | undefined;
  #connection: SseConnection | undefined;
  #number = 0;
  /** Told of a gap, and the list not read since. */
  #lost = false;
  /** Between two levels, when what arrives may be of either. */
  #changing = false;
  #ended = false;
  readonly #trace: string[] = [];

  constructor(system: System, collection: string, sub: string, level: number, node: number, wish: Wish) {
    this.wish = wish;
    this.#system = system;
    this.collection = collection;
    this.sub = sub;
    this.level = level;
    this.#node = node;
  }

  /** What happened to it lately, for whoever looks into a failure. */
  get trace(): string {
    return this.#trace.slice(-40).join('\n');
  }

  describe(): string {
    return `${this.sub} at level ${this.level}, reading ${this.collection} ${this.#query}`;
  }

  get #query(): string {
    return this.wish.filters.map((filter) => `&filter=${encodeURIComponent(filter)}`).join('');
  }

  keysOfLevel(): Iterable<string> {
    return this.#told.get(this.level) ?? [];
  }

  async begin(): Promise<void> {
    await this.#list();
  }

  /** Forgets everything and begins again. */
  async restart(): Promise<void> {
    this.#drop();
    await this.#list();
  }

  /** Loses its line, and comes back with its cursor. */
  cut(): void {
    this.#trace.push(`cut at ${this.#cursor}`);
    this.#drop();
    void (this.#lost ? this.#list() : this.#connect());
  }

  /** Puts the stream under a token with another level, or comes back with it when that cannot be. */
  async changeLevel(level: number): Promise<void> {
    const stream = this.#stream;
    this.#trace.push(`level ${this.level} to ${level}`);
    this.level = level;
    this.#changing = true;
    const renewed =
      stream !== undefined &&
      (await this.#ask('PUT', `streams/${stream}/token`).then(
        ({ ok }) => ok,
        () => false,
      ));
    if (!renewed && !this.#ended) this.cut();
  }

  end(): void {
    this.#ended = true;
    this.#drop();
  }

  async becomes(wanted: string, context: string): Promise<void> {
    const state = () => JSON.stringify([...this.#state].sort(([a], [b]) => (a < b ? -1 : 1)));
    try {
      await until('', () => state() === wanted, 15_000);
    } catch {
      throw new Error(`${this.describe()} has ${state()} and not ${wanted}; ${context}\n${this.trace}`);
    }
  }

  #drop(): void {
    this.#number += 1;
    this.#stream = undefined;
    this.#changing = false;
    this.#connection?.close();
  }

  #tell(key: string): void {
    if (this.#changing) return;
    const told = this.#told.get(this.level) ?? new Set();
    this.#told.set(this.level, told.add(key));
  }

  async #token(): Promise<string> {
    return this.#system.token({ sub: this.sub, level: this.level });
  }

  async #ask(method: string, path: string): Promise<Response> {
    return fetch(`http://127.0.0.1:${this.#system.port(this.#node)}/v1/${path}`, {
      method,
      headers: { Authorization: `Bearer ${await this.#token()}` },
    });
  }

  async #list(): Promise<void> {
    const number = ++this.#number;
    this.#connection?.close();
    for (;;) {
      if (this.#ended || number !== this.#number) return;
      try {
        const answer = await this.#ask(
          'GET',
          `collections/${encodeURIComponent(this.collection)}?limit=1000${this.#query}`,
        );
        if (answer.ok) {
          const { records, cursor } = (await answer.json()) as { records: Row[]; cursor: string };
          if (this.#ended || number !== this.#number) return;
          this.#state = new Map(records.map(({ id, title }) => [id, title]));
          for (const { id } of records) this.#tell(id);
          this.#cursor = cursor;
          this.#lost = false;
          this.#trace.push(`list ${cursor} ${JSON.stringify(records.map(({ id, title }) => [id, title]))}`);
          return void this.#connect();
        }
      } catch {
        // The node is away: another will come.
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  async #connect(): Promise<void> {
    const number = ++this.#number;
    const token = await this.#token();
    if (this.#ended || number !== this.#number) return;
    this.#connection = openSse({
      port: this.#system.port(this.#node),
      path: `/v1/topics/${encodeURIComponent(this.collection)}/events?${this.#query}`,
      lastEventId: this.#cursor,
      token,
      onBlock: ({ event, id, data }) => {
        if (number !== this.#number) return;
        this.#trace.push(`${event ?? ''} ${id ?? ''} ${data}`);
        if (id !== undefined) this.#cursor = id;
        if (event === '$open') this.#stream = (JSON.parse(data) as { stream: string }).stream;
        else if (event === '$ready') this.#changing = false;
        else if (event === '$gap') {
          this.#lost = true;
          void this.#list();
        } else if (event === undefined) this.#apply(JSON.parse(data));
      },
      onEnd: () => {
        if (this.#ended || number !== this.#number) return;
        this.#stream = undefined;
        setTimeout(() => {
          if (number === this.#number) void this.#connect();
        }, 30);
      },
    });
  }

  #apply({ type, key, data }: { type: string; key: string; data: { new?: Row } }): void {
    this.#tell(key);
    if (type === 'delete') this.#state.delete(key);
    else if (data.new !== undefined) this.#state.set(key, data.new.title);
  }
}
