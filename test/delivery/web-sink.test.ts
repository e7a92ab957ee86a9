import { expect, it } from 'vitest';
import { createWebSink } from '../../src/delivery/web-sink.ts';
import { until } from '../support/until.ts';
import { describeSink, type Line } from './sink-contract.ts';

describeSink('web streams', async (): Promise<Line> => {
  const { sink, body } = createWebSink();
  const reader = body.getReader();
  const parts: Uint8Array[] = [];
  let paused = false;
  let left = false;
  let end: 'open' | 'clean' | 'cut' = 'open';
  let turn = Promise.resolve();
  const pump = async (): Promise<void> => {
    while (!paused && !left && end === 'open') {
      const { done, value } = await reader.read();
      if (done) end = 'clean';
      else parts.push(value);
    }
  };
  const begin = () => {
    turn = turn.then(pump, pump);
  };
  begin();
  return {
    sink,
    reader: {
      bytes: () => Buffer.concat(parts),
      end: () => end,
      pause() {
        paused = true;
      },
      resume() {
        paused = false;
        begin();
      },
      leave() {
        left = true;
        void reader.cancel();
      },
    },
    close: async () => sink.end(),
  };
});

it('a reader that never begins to read holds no more than the high-water mark and one write', async () => {
  const { sink, body } = createWebSink();
  let written = 0;
  do written += 64 * 1024;
  while (sink.write(new Uint8Array(64 * 1024)));
  expect(written).toBe(256 * 1024);
  const calls: string[] = [];
  sink.onReady = () => calls.push('ready');
  sink.onClose = () => calls.push('close');
  await body.cancel();
  await until('the close', () => calls.length > 0);
  expect(calls).toEqual(['close']);
});
