/** What the pages of these tests run: the whole client on all that the browser has, and a record of what it was told. */
import { type Client, createClient, type Enqueued, type SubscribeOptions } from '../../../src/client/index.ts';
import { mutationKey } from '../../../src/client/mutation.ts';

export interface TabOptions {
  readonly url: string;
  readonly token: string;
  readonly user: string;
  /** What to subscribe to, and how. */
  readonly topics: Readonly<Record<string, SubscribeOptions>>;
  /** A collection to have a live query of. */
  readonly collection?: string | undefined;
  readonly tabs?: boolean | undefined;
  /** What is done about every conflict; else it makes a dead letter. */
  readonly resolve?: 'mine' | undefined;
  /** Whether to observe the status, as an indicator in a page does. */
  readonly observe?: boolean | undefined;
}

export interface SeenEvent {
  readonly id: string | undefined;
  readonly data: unknown;
  readonly mutation: string | undefined;
  /** When it came, ms since 1970. */
  readonly at: number;
}

/** What a subscription was told. */
export interface TopicView {
  /** Where it began: the cursor when it was live at first, unless events came before. */
  start: string | undefined;
  state: string;
  /** When it was live last, ms since 1970. */
  liveAt: number | undefined;
  readonly events: SeenEvent[];
  readonly gaps: unknown[];
}

export interface TabView {
  readonly topics: Readonly<Record<string, TopicView>>;
  readonly rows: readonly unknown[];
  readonly query: string;
  readonly waiting: readonly { readonly key: string; readonly state: string }[];
  readonly dead: readonly { readonly key: string; readonly kind: string; readonly code: string | undefined }[];
  readonly status: Client['status'];
  readonly errors: readonly string[];
}

export type PageTab = ReturnType<typeof openTab>;

/** Opens the client of this page. */
export function openTab({ url, token, user, topics, collection, tabs, resolve, observe = true }: TabOptions) {
  const errors: string[] = [];
  const client = createClient({
    url,
    token,
    user,
    tabs,
    resolve: resolve && (() => resolve),
    onError: (error) => errors.push(String(error)),
  });
  const views: Record<string, TopicView> = {};
  const statuses: Client['status'][] = [];
  for (const [topic, options] of Object.entries(topics)) follow(topic, options);
  const items = client.collection(collection ?? 'items');
  const query = items.query();
  if (collection !== undefined) query.subscribe(() => undefined);
  if (observe) client.observe(() => statuses.push(client.status));

  function follow(topic: string, options: SubscribeOptions): void {
    const view: TopicView = { start: undefined, state: 'waiting', liveAt: undefined, events: [], gaps: [] };
    views[topic] = view;
    const subscription = client.subscribe(topic, options, {
      onEvent({ id, data, mutation }) {
        view.events.push({ id, data, mutation, at: Date.now() });
      },
      onGap: (gap) => view.gaps.push(gap),
      onState({ kind }) {
        view.state = kind;
        if (kind === 'live') view.liveAt = Date.now();
        if (kind === 'live' && view.events.length === 0) view.start ??= subscription.cursor;
      },
    });
  }

  /** @returns the id of the write once it is kept */
  async function kept({ id, queued }: Enqueued): Promise<string> {
    await queued;
    return id;
  }

  /** One of the rows that show, that the server has named. */
  function rowAt(place: number) {
    const rows = query.getSnapshot().rows.filter(({ id }) => typeof id === 'number');
    return rows[Math.floor(place * rows.length)];
  }

  return {
    client,
    statuses,
    publish: (topic: string, data: readonly unknown[]) =>
      kept(
        client.publish(
          topic,
          data.map((each) => ({ data: each })),
        ),
      ),
    /** Many writes of one turn. */
    publishEach: (topic: string, data: readonly unknown[]) =>
      Promise.all(data.map((each) => kept(client.publish(topic, { data: each })))),
    create: (record: Record<string, unknown>) => kept(items.create(record)),
    /** @param place from 0 up to 1: of the row among those that show. @returns `undefined` when there is none */
    async update(place: number, patch: Record<string, unknown>) {
      const row = rowAt(place);
      return row === undefined ? undefined : kept(items.update(`${row['id']}`, patch));
    },
    async replace(place: number, record: Record<string, unknown>) {
      const row = rowAt(place);
      return row === undefined ? undefined : kept(items.replace(`${row['id']}`, { ...record, id: row['id'] }));
    },
    async remove(place: number) {
      const row = rowAt(place);
      return row === undefined ? undefined : kept(items.remove(`${row['id']}`));
    },
    view(): TabView {
      const { rows, state } = query.getSnapshot();
      return {
        topics: views,
        rows,
        query: state.kind,
        waiting: client.outbox.pending().map((mutation) => ({ key: mutationKey(mutation), state: mutation.state })),
        dead: client.outbox.deadLetters().map((mutation) => ({
          key: mutationKey(mutation),
          kind: mutation.refusal?.kind ?? 'none',
          code: mutation.refusal?.problem?.code,
        })),
        status: client.status,
        errors,
      };
    },
  };
}

Object.assign(globalThis, { createClient, openTab });
