/**
 * The app with all its parts: what a user serves as it is, or mounts in an app of their own.
 *
 * The parts that depend on a runtime (store, bus, credentials) are passed in, so this knows none.
 */
import type { Hono } from 'hono';
import { anonymousPrincipal } from '../auth/authenticate.ts';
import type { Principal } from '../auth/principal.ts';
import { createRevocations } from '../auth/revocations.ts';
import { createRights } from '../auth/rights.ts';
import type { Broker, Origin } from '../broker/broker.ts';
import { LocalBroker } from '../broker/local-broker.ts';
import { createRetentionTask } from '../broker/retention-task.ts';
import { createCalls } from '../bus/calls.ts';
import { createLocalBus } from '../bus/local.ts';
import { TimerWheel } from '../delivery/timer-wheel.ts';
import { Presence } from '../presence/presence.ts';
import type { CloseReason } from '../protocol/control.ts';
import { formatCursor } from '../protocol/cursor.ts';
import type { Defines } from '../protocol/definition.ts';
import type { EventInput } from '../protocol/event.ts';
import { DEFAULT_LIMITS, type Limits } from '../protocol/limits.ts';
import { isTopic } from '../protocol/topic.ts';
import { createMemoryStore } from '../store/memory.ts';
import { StoreUnavailable } from '../store/store.ts';
import { createApp } from './app.ts';
import { createAudit } from './audit.ts';
import { createCallerLimiter, DEFAULT_CALLER_LIMITS } from './caller-limiter.ts';
import { createCredentials } from './credentials.ts';
import type { DefinedBy } from './defined-by.ts';
import { compileEventDefinitions, type EventTypes } from './event-definitions.ts';
import { readEventInputs } from './event-inputs.ts';
import { SILENT } from './log.ts';
import { OpenStreams } from './open-streams.ts';
import type { RealtimeOptions } from './realtime-options.ts';
import { watchRevocations } from './revocation-watch.ts';
import type { Env, Services } from './services.ts';
import { createStreamControl, NODE_NAME } from './stream-control.ts';
import { createSubscriptions } from './subscriptions.ts';

/** A Hono app, and what the code that embeds it can do without HTTP. */
export interface Realtime extends Hono<Env> {
  /**
   * Appends events to a topic, all or none.
   * @returns the topic's cursor after them
   * @throws StoreUnavailable when the log cannot be reached
   * @throws TypeError when the topic or an event is not valid, or the idempotency key was used for other events
   */
  publish(
    topic: string,
    events: EventInput | readonly EventInput[],
    origin?: Origin,
  ): Promise<{ readonly cursor: string }>;
  /** Gives events to whoever is connected now, on every node. @throws TypeError when the topic or an event is not valid */
  publishEphemeral(topic: string, events: EventInput | readonly EventInput[], origin?: Origin): void;
  /** Resolves when the parts have begun. Requests wait for it by themselves. */
  readonly started: Promise<void>;
  /** Refuses new streams and ends the open ones, asking their readers to come back spread over some seconds. */
  drain(): void;
  /** Ends everything, the store and the bus included. */
  close(): Promise<void>;
  /** What is held now, for metrics. */
  readonly gauges: () => RealtimeGauges;
}

export interface RealtimeGauges {
  /** Open streams by format. */
  readonly streams: Readonly<Record<string, number>>;
  /** Topics that somebody on this node reads. */
  readonly topics: number;
  readonly subscriptions: number;
  /** Topics whose members streams of this node are told of. */
  readonly watchedTopics: number;
  /** Streams of this node that keep leases of presence alive. */
  readonly leaseStreams: number;
}

/** How long a request waits for the parts to begin, and how soon a failed beginning is tried again, in ms. */
const START_WAIT_MS = 2000;
const START_RETRY_MS = 500;
const TAIL_CHECK_MS = 1000;

/**
 * Makes the app.
 *
 * @throws RangeError when the node's name is not of its form
 * @example
 * ```ts
 * const app = new Hono();
 * const realtime = createRealtime({ auth: { secret: process.env.AUTH_SECRET } });
 * app.route('/realtime', realtime);
 * await realtime.publish('orders:42', { type: 'paid', data: { amount: 1200 } });
 * ```
 */
export function createRealtime<const Options extends RealtimeOptions>(
  options?: Options,
): Realtime & Defines<DefinedBy<Options>>;
export function createRealtime(options: RealtimeOptions = {}): Realtime {
  const {
    clock = Date.now,
    log = SILENT,
    schedule = queueMicrotask,
    observer = {},
    tailCheckMs = TAIL_CHECK_MS,
  } = options;
  const { node = crypto.randomUUID().slice(0, 8), retention = {} } = options;
  const { store = createMemoryStore({ clock }), bus = createLocalBus() } = options;
  if (!NODE_NAME.test(node)) throw new RangeError('the name of a node is eight characters of 0-9a-z');
  const limits: Limits = { ...DEFAULT_LIMITS, ...options.limits };
  const eventTypes = compileEventDefinitions(options.events);
  const onFault = (error: unknown) => log.error({ error }, 'something failed in the background');

  const broker: Broker =
    options.broker ??
    new LocalBroker({
      log: store.log,
      bus,
      schedule,
      clock,
      tailCheckMs,
      compacted: options.compact,
      observer: { ...observer, onFault },
    });
  const local = broker instanceof LocalBroker ? broker : undefined;
  const wheel = new TimerWheel(onFault, clock);
  const {
    onDelivery = () => undefined,
    onClose = () => undefined,
    onPruned = () => undefined,
    onResponse = () => undefined,
  } = observer;
  const presence =
    store.presence && new Presence({ store: store.presence, bus, schedule, lookMs: tailCheckMs, onFault });
  const closed = (reason: CloseReason | 'gone', stream: string) => {
    presence?.ended(stream, reason === 'draining');
    onClose(reason);
  };
  const isCollection = (name: string) => collections?.has(name) === true;
  const audit = createAudit({
    store: store.audit,
    scope: options.audit ?? 'collections',
    isCollection,
    node,
    clock,
    onFault,
  });
  const isRevoked = (principal: Principal) => revocations.isRevoked(principal);
  const streams = new OpenStreams({
    node,
    wheel,
    clock,
    audit,
    isCollection,
    isRevoked,
    lifeMs: options.streamLifeMs,
    onDelivery,
    onClose: closed,
  });
  const rights = createRights(options.policy);
  const nobody = anonymousPrincipal(options.auth?.anonymous);
  const revocations = createRevocations({
    store: store.revocations,
    clock,
    onRevoked: (matches) => streams.revoke(matches),
  });
  const calls = createCalls({ bus, node, onFault });
  const collections = options.collections?.({
    store,
    broker,
    node,
    log,
    onFault,
    endStreams: (topic) => streams.endTopic(topic),
  });
  const subscriptions = createSubscriptions(broker, collections);
  const credentials = createCredentials(options.auth ?? {}, { store, clock, revocations, onFault });
  const task = createRetentionTask({
    log: store.log,
    clock,
    retention: typeof retention === 'function' ? retention : () => retention,
    compact: options.compact,
    pruneAlso: async () => {
      await audit.prune();
      await presence?.prune();
    },
    onPruned,
    onFault,
    ...(options.retentionIntervalMs !== undefined && { intervalMs: options.retentionIntervalMs }),
  });

  let draining = false;
  let running = false;
  let stopWatching = () => {};
  const started = start();
  // Whoever awaits `started` learns of a failure; nobody has to.
  started.catch(onFault);

  async function start(): Promise<void> {
    for (;;) {
      try {
        await Promise.all([credentials.load(), revocations.load(), collections?.start()]);
        break;
      } catch (error) {
        if (!(error instanceof StoreUnavailable) || draining) throw error;
        await pause(START_RETRY_MS);
      }
    }
    running = true;
    if (draining) return;
    // Without a bus there is no other node that could revoke anything.
    stopWatching = watchRevocations({
      revocations,
      bus,
      intervalMs: options.bus === undefined ? 0 : tailCheckMs,
      onFault,
    });
    // Another broker's log is not this app's to tidy.
    if (options.broker === undefined) task.start();
  }

  async function awaitStart(): Promise<void> {
    await Promise.race([started, pause(START_WAIT_MS)]);
    if (!running) throw new StoreUnavailable('the parts have not begun yet');
  }

  const services: Services = {
    broker,
    store,
    authenticator: credentials.authenticator,
    rights,
    tickets: credentials.tickets,
    revocations,
    announceRevocation: () => bus.send({ kind: 'revoked' }),
    collections,
    subscriptions,
    presence,
    streams,
    audit,
    streamControl: createStreamControl({
      streams,
      subscriptions,
      collections,
      presence,
      rights,
      calls,
      isPatient: bus.tellsUnheard === true,
      topicsPerStream: limits.topicsPerStream,
    }),
    isPublic: (topic) =>
      options.guard === undefined &&
      options.audit !== 'all' &&
      !isCollection(topic) &&
      rights.may(nobody, 'subscribe', topic),
    pages: new Set(),
    eventTypes,
    callers: options.callers ?? createCallerLimiter({ ...DEFAULT_CALLER_LIMITS, ...options.callerLimits }),
    limits,
    log,
    clock,
    draining: () => draining,
  };
  const app = createApp(services, options, { ready: () => (running ? undefined : awaitStart()), onResponse });

  function refuseCollection(topic: string): void {
    if (collections?.has(topic))
      throw new TypeError(`${topic} is a collection: its events are the changes of its records`);
  }

  function drain(): void {
    draining = true;
    streams.drain();
    for (const answer of services.pages) answer();
  }

  return Object.assign(app, {
    async publish(topic: string, events: EventInput | readonly EventInput[], origin?: Origin) {
      const inputs = checkPublish(topic, events, limits, eventTypes(topic));
      refuseCollection(topic);
      if (inputs.some(({ ephemeral }) => ephemeral)) throw new TypeError('ephemeral events are for publishEphemeral');
      const appended = await broker.publish(topic, inputs, origin);
      if (appended.kind === 'mismatch') throw new TypeError('the idempotency key was used for other events');
      return { cursor: formatCursor({ epoch: appended.epoch, seq: appended.first + appended.count - 1 }) };
    },
    publishEphemeral(topic: string, events: EventInput | readonly EventInput[], origin?: Origin) {
      refuseCollection(topic);
      broker.publishEphemeral(topic, checkPublish(topic, events, limits, eventTypes(topic)), origin);
    },
    started,
    drain,
    async close() {
      drain();
      stopWatching();
      calls.close();
      await task.stop();
      await presence?.close();
      await audit.close();
      await collections?.close();
      await broker.close();
      wheel.stop();
      await bus.close();
      await store.close();
    },
    gauges: () => ({
      streams: streams.countByFormat(),
      topics: local?.topics ?? 0,
      subscriptions: local?.subscriptions ?? 0,
      watchedTopics: presence?.gauges.topics ?? 0,
      leaseStreams: presence?.gauges.streams ?? 0,
    }),
  });
}

function checkPublish(
  topic: string,
  value: EventInput | readonly EventInput[],
  limits: Limits,
  types: EventTypes | undefined,
): readonly EventInput[] {
  if (!isTopic(topic)) throw new TypeError(`not a topic: ${JSON.stringify(topic)}`);
  const inputs = readEventInputs(value, limits, types);
  if (inputs.ok) return inputs.events;
  if (inputs.reason === 'size') throw new TypeError(inputs.detail);
  const [issue] = inputs.issues;
  throw new TypeError(`not an event: ${issue?.path.join('.')}: ${issue?.message}`);
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
