import { describe, expect, it } from 'vitest';
import type { SubscribeRequest, Subscriber } from '../../src/broker/broker.ts';
import { EdgeSubscription } from '../../src/cloudflare/edge-subscription.ts';
import type { ReadRequest, TopicFrame } from '../../src/cloudflare/topic-frames.ts';
import type { TopicSocketObserver } from '../../src/cloudflare/topic-socket.ts';
import { EventBatch, LogEvent } from '../../src/protocol/event-batch.ts';
import { StoreUnavailable } from '../../src/store/store.ts';
import { until } from '../support/until.ts';

const EPOCH = 'abcde00000';
const request: SubscribeRequest = { topic: 'rows', start: { kind: 'latest' } };

/** An object that says what the test has it say. */
function object() {
  const opened: {
    readonly from: SubscribeRequest['start'];
    readonly observer: TopicSocketObserver;
    closed: boolean;
  }[] = [];
  const exchanges: ReadRequest[] = [];
  const connect = async ({ start }: SubscribeRequest, observer: TopicSocketObserver) => {
    const socket = { from: start, observer, closed: false };
    opened.push(socket);
    return {
      position: { epoch: EPOCH, seq: 0 },
      start() {},
      taken() {},
      exchange: (read: ReadRequest) => void exchanges.push(read),
      close() {
        socket.closed = true;
      },
    };
  };
  return { opened, exchanges, connect, say: (frame: TopicFrame) => opened.at(-1)?.observer.frame(frame, 10) };
}

function event(seq: number): TopicFrame {
  const events = [new LogEvent({ epoch: EPOCH, seq }, '', `"seq":${seq}}`)];
  return { kind: 'events', batch: new EventBatch('rows', EPOCH, seq - 1, seq, events) };
}

function subscriber(ready = true) {
  const told: string[] = [];
  const reader: Subscriber & { ready: boolean } = {
    ready,
    deliver: (batch) => void told.push(...batch.events.map(({ seq }) => `event ${seq}`)),
    gap: ({ reason }) => void told.push(`gap ${reason}`),
    caughtUp: () => void told.push('live'),
    cutOff: () => void told.push('cut off'),
  };
  return { reader, told };
}

const read: ReadRequest = { topic: 'rows', events: request };

describe('a subscription that takes the place of another on its socket', () => {
  it('hands on first what its predecessor was not ready for, and then what was sent for itself', async () => {
    const { connect, exchanges, say, opened } = object();
    const before = await EdgeSubscription.open({ request, connect });
    const { reader, told } = subscriber();
    before.start(reader);
    say(event(1));
    reader.ready = false;
    say(event(2));
    const succeeding = before.succeed({ request, connect }, read);
    expect(exchanges).toEqual([read]);
    say({ kind: 'exchanged', position: { epoch: EPOCH, seq: 2 } });
    const after = await succeeding;
    say(event(3));
    expect([told, before.position.seq, after.position.seq]).toEqual([['event 1'], 1, 1]);
    before.close();
    reader.ready = true;
    after.start(reader);
    say({ kind: 'live', position: { epoch: EPOCH, seq: 3 } });
    expect([told, after.position.seq]).toEqual([['event 1', 'event 2', 'event 3', 'live'], 3]);
    expect(opened.map(({ closed }) => closed)).toEqual([false]);
  });

  it('leaves its predecessor reading on from its place when it is closed before its turn', async () => {
    const { connect, say, opened } = object();
    const before = await EdgeSubscription.open({ request, connect });
    const { reader, told } = subscriber();
    before.start(reader);
    say(event(1));
    const succeeding = before.succeed({ request, connect }, read);
    say({ kind: 'exchanged', position: { epoch: EPOCH, seq: 1 } });
    (await succeeding).close();
    await until('it is opened again', () => opened.length === 2);
    expect(opened[1]?.from).toEqual({ kind: 'cursor', cursors: [{ epoch: EPOCH, seq: 1 }] });
    say(event(2));
    expect(told).toEqual(['event 1', 'event 2']);
    before.close();
  });

  it('is refused as the object says, or when the socket is lost or closed, and its predecessor goes on', async () => {
    for (const end of [
      (of: ReturnType<typeof object>) => of.say({ kind: 'refused', refusal: { kind: 'unavailable' } }),
      (of: ReturnType<typeof object>) => of.opened.at(-1)?.observer.lost(),
      (_: unknown, before: EdgeSubscription) => before.close(),
    ]) {
      const of = object();
      const before = await EdgeSubscription.open({ request, connect: of.connect });
      const succeeding = before.succeed({ request, connect: of.connect }, read);
      end(of, before);
      await expect(succeeding).rejects.toBeInstanceOf(StoreUnavailable);
      before.close();
    }
  });
});

describe('a gap', () => {
  const at = { epoch: EPOCH, seq: 1 };
  const text = `${EPOCH}-1`;
  const gap = { topic: 'rows', requested: text, oldest: text, latest: text, reason: 'unknown-epoch' } as const;

  it('of a view is told though the reader stands at its end, and so is what the view tells of the same stretch', async () => {
    const { connect, say } = object();
    const subscription = await EdgeSubscription.open({ request, connect, everyGap: true });
    const { reader, told } = subscriber();
    subscription.start(reader);
    say(event(1));
    say({ kind: 'gap', gap, position: at });
    say(event(1));
    expect(told).toEqual(['event 1', 'gap unknown-epoch', 'event 1']);
    subscription.close();
  });

  it('of a log is not told when nothing is missing: the object began from an older place', async () => {
    const { connect, say } = object();
    const subscription = await EdgeSubscription.open({ request, connect });
    const { reader, told } = subscriber();
    subscription.start(reader);
    say(event(1));
    say({ kind: 'gap', gap: { ...gap, reason: 'expired' }, position: at });
    expect(told).toEqual(['event 1']);
    subscription.close();
  });
});
