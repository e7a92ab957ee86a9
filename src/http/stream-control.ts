/**
 * Changing an open stream from any node (protocol section 2). A stream's id begins with the name of the node that holds it;
 * a request that reaches another node is passed on over the bus, after that node has checked the caller's rights.
 */
import { z } from 'zod';
import { readClaims } from '../auth/claims.ts';
import type { Principal } from '../auth/principal.ts';
import type { Rights } from '../auth/rights.ts';
import type { SubscribeRequest } from '../broker/broker.ts';
import type { Calls } from '../bus/calls.ts';
import type { Presence } from '../presence/presence.ts';
import { type StreamTopic, streamInfoSchema, streamTopicSchema } from '../protocol/schemas.ts';
import { ViewTooLarge } from '../records/view-too-large.ts';
import { StoreUnavailable } from '../store/store.ts';
import { watchMembers } from './open-stream.ts';
import type { OpenStream, OpenStreams } from './open-streams.ts';
import type { ServedCollections } from './served-collections.ts';
import { subscribeRequest } from './starting-point.ts';
import type { Subscriptions } from './subscriptions.ts';

/** A node's name. Its streams' ids begin with it. */
export const NODE_NAME = /^[0-9a-z]{8}$/;
const NODE_NAME_LENGTH = 8;
const STREAM_ID = /^[0-9a-z]{40}$/;
/** How long another node may take to answer, in ms; and on a bus that tells when it is not there. */
const CALL_MS = 2000;
const PATIENT_CALL_MS = 12_000;

export type StreamInfo = z.infer<typeof streamInfoSchema>;

export type ControlOutcome =
  | { readonly kind: 'done'; readonly topics: readonly string[] }
  | { readonly kind: 'not-found' | 'forbidden' | 'too-many-topics' | 'unavailable' };

export interface StreamControl {
  /** Adds and removes topics. The caller's rights on the added ones are for the route to check. */
  change(id: string, by: Principal, add: readonly StreamTopic[], remove: readonly string[]): Promise<ControlOutcome>;
  /** Puts the stream under the principal's token; refused when it is somebody else's, or does not cover a topic. */
  renew(id: string, by: Principal): Promise<ControlOutcome>;
  /** Looks whether the stream is open and the principal's own, so that its node keeps a lease of the topic alive with it. */
  bind(id: string, by: Principal, topic: string): Promise<ControlOutcome>;
  /** Ends a stream, for an administrator. */
  end(id: string): Promise<ControlOutcome>;
  /** The streams of all nodes that answer in time. */
  list(): Promise<readonly StreamInfo[]>;
}

const requestSchema = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('change'),
    id: z.string(),
    sub: z.string().nullable(),
    add: z.array(streamTopicSchema),
    remove: z.array(z.string()),
  }),
  z.object({ kind: z.literal('renew'), id: z.string(), claims: z.record(z.string(), z.unknown()) }),
  z.object({ kind: z.literal('bind'), id: z.string(), sub: z.string().nullable(), topic: z.string() }),
  z.object({ kind: z.literal('end'), id: z.string() }),
]);
type Request = z.infer<typeof requestSchema>;

const outcomeSchema = z.union([
  z.object({ kind: z.literal('done'), topics: z.array(z.string()) }),
  z.object({ kind: z.enum(['not-found', 'forbidden', 'too-many-topics', 'unavailable']) }),
]);

export interface StreamControlOptions {
  readonly streams: OpenStreams;
  readonly subscriptions: Subscriptions;
  readonly collections: ServedCollections | undefined;
  readonly presence: Presence | undefined;
  readonly rights: Rights;
  readonly calls: Calls;
  /** Whether the bus tells when a node is not there. */
  readonly isPatient: boolean;
  readonly topicsPerStream: number;
}

export function createStreamControl({
  streams,
  subscriptions,
  collections,
  presence,
  rights,
  calls,
  isPatient,
  topicsPerStream,
}: StreamControlOptions): StreamControl {
  /** Streams that are being changed, each with the end of its last change. */
  const turns = new Map<string, Promise<unknown>>();

  /** One change of a stream after the other: each goes by the token and the topics that the one before it left. */
  async function inTurn(id: string, work: (open: OpenStream) => Promise<ControlOutcome>): Promise<ControlOutcome> {
    const before = turns.get(id);
    const done = (async () => {
      // A failure is its own caller's to hear; this one only waits for the end.
      await before?.catch(() => undefined);
      const open = streams.get(id);
      return open === undefined ? ({ kind: 'not-found' } as const) : work(open);
    })();
    turns.set(id, done);
    try {
      return await done;
    } finally {
      if (turns.get(id) === done) turns.delete(id);
    }
  }

  async function here(request: Request, by?: Principal): Promise<ControlOutcome> {
    const open = streams.get(request.id);
    if (open === undefined) return { kind: 'not-found' };
    switch (request.kind) {
      case 'change':
        return inTurn(request.id, async (stream) =>
          request.sub === (stream.principal.sub ?? null) ? change(stream, request) : { kind: 'forbidden' },
        );
      case 'renew':
        return inTurn(request.id, (stream) => renew(stream, by ?? readClaims(request.claims)));
      case 'bind':
        if (request.sub !== (open.principal.sub ?? null)) return { kind: 'not-found' };
        presence?.bind(request.id, request.topic);
        return { kind: 'done', topics: [] };
      case 'end':
        open.stream.close('limit');
        return { kind: 'done', topics: [] };
    }
  }

  async function change(
    open: OpenStream,
    { add, remove }: Extract<Request, { kind: 'change' }>,
  ): Promise<ControlOutcome> {
    const { stream } = open;
    const removed = new Set(remove);
    const present = new Set(stream.topics.filter((topic) => !removed.has(topic)));
    const fresh = add.filter(({ topic }) => !present.has(topic));
    if (present.size + fresh.length > topicsPerStream) return { kind: 'too-many-topics' };
    const requests = fresh.map((topic) => subscribeRequest(topic));
    const added = await subscriptions.subscribe(open.principal, requests);
    streams.forget(stream.id, removed);
    streams.remember(stream.id, requests);
    stream.detach(removed);
    // While the positions were looked up, another change may have added the same topic.
    const now = new Set(stream.topics);
    for (const subscription of added) if (now.has(subscription.topic)) subscription.close();
    stream.attach(added.filter(({ topic }) => !now.has(topic)));
    const watched = add.filter((each) => each.presence === true && stream.topics.includes(each.topic));
    watchMembers(
      stream,
      { presence },
      watched.map(({ topic }) => topic),
    );
    return { kind: 'done', topics: stream.topics };
  }

  async function renew(open: OpenStream, by: Principal | undefined): Promise<ControlOutcome> {
    if (by === undefined || by.sub !== open.principal.sub) return { kind: 'forbidden' };
    const isOpen = (topic: string) => collections?.isDecidedByPostgres(topic) === true;
    if (!open.stream.topics.every((topic) => rights.may(by, 'subscribe', topic) || isOpen(topic)))
      return { kind: 'forbidden' };
    const covers = (topic: string) => rights.may(by, 'presence', topic);
    if (!open.stream.watched.every(covers)) return { kind: 'forbidden' };
    // First what is seen: where that cannot be changed now, the stream stays under the token that it had. Meanwhile topics may be
    // attached whose positions were looked up under that one.
    const changed = new Set<string>();
    while (await changeViews(open, by, changed));
    streams.renew(open, by);
    open.stream.renew(by.expires);
    presence?.renewed(open.stream.id, covers);
    return { kind: 'done', topics: open.stream.topics };
  }

  /**
   * Whoever sees other rows under the new token is told what differs.
   * @param done topics that were changed already; those that are now are added
   * @returns whether there were any
   */
  async function changeViews(
    { stream, principal, requests }: OpenStream,
    by: Principal,
    done: Set<string>,
  ): Promise<boolean> {
    const before = new Map(stream.subscriptions.map((each) => [each.topic, each]));
    // A topic whose position is still looked up is attached as the stream's token then is (see `openStream`).
    const changed = [...before.keys()].filter(
      (topic) => !done.has(topic) && collections?.seesOtherwise(topic, principal, by) === true,
    );
    for (const topic of changed) done.add(topic);
    const again = changed.flatMap((topic): SubscribeRequest[] => {
      const request = requests.get(topic);
      const cursor = before.get(topic)?.position;
      if (request === undefined) throw new Error(`what was asked for of ${topic} is not known`);
      return [{ ...request, start: cursor === undefined ? request.start : { kind: 'cursor', cursors: [cursor] } }];
    });
    if (again.length === 0) return false;
    stream.exchange(await subscriptions.subscribe(by, again, before));
    return true;
  }

  async function ask(request: Request, by?: Principal): Promise<ControlOutcome> {
    if (!STREAM_ID.test(request.id)) return { kind: 'not-found' };
    const node = request.id.slice(0, NODE_NAME_LENGTH);
    if (node === streams.node) return here(request, by);
    const answer = await calls.call(node, 'stream', request, isPatient ? PATIENT_CALL_MS : CALL_MS);
    // A node that does not answer is most likely gone, and its streams with it.
    if (!answer.ok) return { kind: 'not-found' };
    const outcome = outcomeSchema.safeParse(answer.body);
    return outcome.success ? outcome.data : { kind: 'unavailable' };
  }

  function infos(): readonly StreamInfo[] {
    return Array.from(streams.all(), ({ stream, principal, address, since }) => ({
      stream: stream.id,
      node: streams.node,
      format: stream.format === 'ndjson' ? 'ndjson' : 'sse',
      topics: [...stream.topics],
      sub: principal.sub ?? null,
      address: address ?? null,
      since: new Date(since).toISOString(),
      expires: stream.expires === undefined ? null : new Date(stream.expires).toISOString(),
    }));
  }

  calls.serve('stream', async (body) => {
    const request = requestSchema.safeParse(body);
    if (!request.success) return { kind: 'unavailable' };
    try {
      return await here(request.data);
    } catch (error) {
      if (error instanceof StoreUnavailable || error instanceof ViewTooLarge) return { kind: 'unavailable' };
      throw error;
    }
  });
  calls.serve('streams', async () => infos());

  return {
    change: (id, by, add, remove) =>
      ask({ kind: 'change', id, sub: by.sub ?? null, add: [...add], remove: [...remove] }),
    renew: (id, by) => ask({ kind: 'renew', id, claims: { ...by.claims } }, by),
    bind: (id, by, topic) => ask({ kind: 'bind', id, sub: by.sub ?? null, topic }),
    end: (id) => ask({ kind: 'end', id }),
    async list() {
      const replies = await calls.gather('streams', null, CALL_MS / 4);
      const others = replies.flatMap(({ from, body }) => {
        const parsed = z.array(streamInfoSchema).safeParse(body);
        return parsed.success && from !== streams.node ? parsed.data : [];
      });
      return [...infos(), ...others];
    },
  };
}
