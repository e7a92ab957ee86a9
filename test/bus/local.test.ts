import { expect, it } from 'vitest';
import type { Envelope } from '../../src/bus/bus.ts';
import { createLocalBus } from '../../src/bus/local.ts';
import { createLocalHub } from '../support/local-hub.ts';
import { until } from '../support/until.ts';
import { describeBus } from './contract.ts';

describeBus('local', async () => {
  const hub = createLocalHub();
  return { bus: (node) => hub.bus(node), close: async () => {} };
});

it('a node that is cut off neither sends nor hears, and is told when it is back', async () => {
  const hub = createLocalHub();
  const a = hub.bus('a');
  const b = hub.bus('b');
  const heard: Envelope[] = [];
  let resumed = 0;
  for (const bus of [a, b])
    bus.listen(
      (envelope) => heard.push(envelope),
      () => {
        resumed += 1;
      },
    );
  a.send({ kind: 'appended', heads: [['under:way', 1]] });
  hub.cut('a');
  expect(a.connected).toBe(false);
  expect(b.connected).toBe(true);
  a.send({ kind: 'appended', heads: [['lost', 1]] });
  b.send({ kind: 'revoked' });
  await until('the sends were dropped', () => a.dropped === 2);
  expect(heard).toEqual([]);
  hub.mend('a');
  hub.mend('b');
  expect(resumed).toBe(1);
  b.send({ kind: 'revoked' });
  await until('it is heard again', () => heard.length === 1);
  expect(heard).toEqual([{ from: 'b', signal: { kind: 'revoked' } }]);
});

it('two open ends of a hub cannot have one name', async () => {
  const hub = createLocalHub();
  const first = hub.bus('a');
  expect(() => hub.bus('a')).toThrow(RangeError);
  expect(() => hub.bus('a b')).toThrow(RangeError);
  await first.close();
  expect(hub.bus('a').connected).toBe(true);
});

it('the bus of a lone node takes everything and says nothing', async () => {
  const bus = createLocalBus();
  const heard: Envelope[] = [];
  bus.listen(
    (envelope) => heard.push(envelope),
    () => {},
  );
  bus.send({ kind: 'revoked' });
  await bus.close();
  expect(heard).toEqual([]);
  expect(bus.connected).toBe(true);
});
