/** What every bus promises, run by the tests of each adapter. */
import { afterEach, describe, expect, it } from 'vitest';
import type { Bus, BusSignal, Envelope } from '../../src/bus/bus.ts';
import { encodeEventBody } from '../../src/protocol/event.ts';
import { until } from '../support/until.ts';

/** One system of nodes. */
export interface BusSystem {
  /** Opens a node's end. */
  bus(node: string): Bus;
  close(): Promise<void>;
}

interface Node {
  readonly bus: Bus;
  readonly heard: Envelope[];
  readonly stop: () => void;
}

export function describeBus(name: string, open: () => Promise<BusSystem>): void {
  describe(`the bus contract: ${name}`, () => {
    const closing: (() => Promise<void>)[] = [];
    afterEach(async () => {
      for (const close of closing.splice(0).reverse()) await close();
    });

    async function nodes<Name extends string>(...names: readonly Name[]): Promise<Record<Name, Node>> {
      const system = await open();
      closing.push(() => system.close());
      const made = {} as Record<Name, Node>;
      for (const node of names) {
        const bus = system.bus(node);
        closing.push(() => bus.close());
        const heard: Envelope[] = [];
        const stop = bus.listen(
          (envelope) => {
            if (envelope.signal.kind !== 'call' || envelope.signal.operation !== 'meet') heard.push(envelope);
          },
          () => {},
        );
        made[node] = { bus, heard, stop };
        await until(`${node} is connected`, () => bus.connected);
        await meet(bus, node, Object.entries<Node>(made));
      }
      return made;
    }

    /** What is said while a node comes may pass it by, so it is waited for until the others know of it. */
    async function meet(newcomer: Bus, name: string, others: readonly (readonly [string, Node])[]): Promise<void> {
      const known = new Set([name]);
      const stop = newcomer.listen(
        ({ from }) => known.add(from),
        () => {},
      );
      for (const [other, { bus }] of others)
        await until(`${name} hears ${other}`, () => {
          if (!known.has(other)) bus.send({ kind: 'call', call: 'meet', operation: 'meet', body: null });
          return known.has(other);
        });
      stop();
    }

    const call = (n: number, to?: string): BusSignal => ({
      kind: 'call',
      call: `c${n}`,
      ...(to !== undefined && { to }),
      operation: 'ask',
      body: { n },
    });

    it('carries each kind of signal, as it was, to every other node and not to the sender', async () => {
      const { a, b, c } = await nodes('a', 'b', 'c');
      const sent: BusSignal[] = [
        { kind: 'appended', heads: [['chat:lobby', 7]] },
        { kind: 'presence', heads: [['chat:lobby', 8]] },
        {
          kind: 'ephemeral',
          topic: 'чат:лобби😀',
          time: 1_700_000_000_123,
          bodies: [encodeEventBody({ type: 'typing', data: { text: 'é\u2028"\\\n\0' }, key: 'k' }, { actor: 'ann' })],
        },
        { kind: 'revoked' },
        call(1),
        call(2, 'b'),
        { kind: 'reply', call: 'c1', to: 'c', body: [null, JSON.parse('{"__proto__":1,"deep":[[]]}')] },
        { kind: 'call', call: 'c3', operation: 'nothing', body: null },
      ];
      for (const signal of sent) a.bus.send(signal);
      await until('both heard all', () => b.heard.length >= sent.length && c.heard.length >= sent.length);
      const expected = sent.map((signal) => ({ from: 'a', signal }));
      expect(b.heard).toEqual(expected);
      expect(c.heard).toEqual(expected);
      expect(a.heard).toEqual([]);
    });

    it('keeps the order of one sender, while others send too', async () => {
      const { a, b, c } = await nodes('a', 'b', 'c');
      const count = 300;
      for (let n = 0; n < count; n += 1) {
        a.bus.send(call(n));
        c.bus.send(call(n));
        // Lets some be sent while others still gather.
        if (n % 50 === 0) await new Promise((resolve) => setTimeout(resolve));
      }
      await until('all arrived', () => b.heard.length >= 2 * count);
      for (const from of ['a', 'c']) {
        const seen = b.heard.filter((envelope) => envelope.from === from).map(({ signal }) => signal);
        expect(seen).toEqual(Array.from({ length: count }, (_, n) => call(n)));
      }
    });

    it('delivers after `send` has returned', async () => {
      const { a, b } = await nodes('a', 'b');
      a.bus.send(call(1));
      expect(b.heard).toEqual([]);
      await until('it arrived', () => b.heard.length === 1);
    });

    it('delivers equal signals as often as they are sent', async () => {
      const { a, b } = await nodes('a', 'b');
      for (let n = 0; n < 5; n += 1) a.bus.send(call(1));
      a.bus.send(call(2));
      await until('the last arrived', () => b.heard.some(({ signal }) => 'call' in signal && signal.call === 'c2'));
      expect(b.heard).toHaveLength(6);
    });

    it('tells the highest seq of every topic after a storm of appends', async () => {
      const { a, b } = await nodes('a', 'b');
      const topics = 100;
      for (let n = 0; n < 10_000; n += 1) {
        // Not ascending: what comes late must not hide what is higher.
        const seq = n % 200 < 100 ? n + 200 : n;
        a.bus.send({ kind: 'appended', heads: [[`topic:${n % topics}`, seq]] });
      }
      a.bus.send(call(1));
      await until('the storm is over', () => b.heard.some(({ signal }) => signal.kind === 'call'));
      const heads = new Map<string, number>();
      for (const { signal } of b.heard)
        if (signal.kind === 'appended')
          for (const [topic, seq] of signal.heads) heads.set(topic, Math.max(seq, heads.get(topic) ?? 0));
      expect(heads.size).toBe(topics);
      for (let topic = 0; topic < topics; topic += 1) expect(heads.get(`topic:${topic}`)).toBe(10_000 + topic);
    });

    it('carries a megabyte whole', async () => {
      const { a, b } = await nodes('a', 'b');
      const text = 'x"é😀\n'.repeat(150_000);
      const large: BusSignal = {
        kind: 'ephemeral',
        topic: 't',
        time: 1,
        bodies: [encodeEventBody({ data: text })],
      };
      a.bus.send(large);
      a.bus.send(call(1));
      await until('both arrived', () => b.heard.length >= 2);
      expect(b.heard.map(({ signal }) => signal.kind)).toEqual(['ephemeral', 'call']);
      expect(b.heard[0]?.signal).toEqual(large);
    });

    it('carries thousands of long topics in one signal', async () => {
      const { a, b } = await nodes('a', 'b');
      const heads = Array.from({ length: 2_000 }, (_, n) => [`${'é'.repeat(200)}:${n}`, n + 1] as const);
      a.bus.send({ kind: 'appended', heads });
      a.bus.send(call(1));
      await until('all arrived', () => b.heard.some(({ signal }) => signal.kind === 'call'));
      expect(b.heard.flatMap(({ signal }) => (signal.kind === 'appended' ? signal.heads : []))).toEqual(heads);
    });

    it('drops what JSON cannot say, and carries on', async () => {
      const { a, b } = await nodes('a', 'b');
      a.bus.send({ kind: 'call', call: 'c1', operation: 'ask', body: 1n });
      a.bus.send(call(2));
      await until('the second arrived', () => b.heard.length > 0);
      expect(b.heard.map(({ signal }) => signal)).toEqual([call(2)]);
    });

    it('does not share objects between nodes', async () => {
      const { a, b } = await nodes('a', 'b');
      const body = { changed: false };
      a.bus.send({ kind: 'call', call: 'c1', operation: 'ask', body });
      body.changed = true;
      await until('it arrived', () => b.heard.length === 1);
      const [envelope] = b.heard;
      expect(envelope?.signal).toEqual({ kind: 'call', call: 'c1', operation: 'ask', body: { changed: false } });
    });

    it('calls a listener no more once it has stopped, and others still', async () => {
      const { a, b } = await nodes('a', 'b');
      const second: Envelope[] = [];
      b.bus.listen(
        (envelope) => second.push(envelope),
        () => {},
      );
      b.stop();
      a.bus.send(call(1));
      await until('the other one heard', () => second.length === 1);
      expect(b.heard).toEqual([]);
    });

    it('sends what waits before it closes, and nothing afterwards', async () => {
      const { a, b } = await nodes('a', 'b');
      a.bus.send(call(1));
      await a.bus.close();
      expect(a.bus.connected).toBe(false);
      a.bus.send(call(2));
      b.bus.send(call(3));
      await until('the first arrived', () => b.heard.length === 1);
      await a.bus.close();
      expect(b.heard).toEqual([{ from: 'a', signal: call(1) }]);
      expect(a.heard).toEqual([]);
    });
  });
}
