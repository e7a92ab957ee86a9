import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createShelf, LINGER_MS } from '../../src/react/shelf.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function shelf() {
  const log: string[] = [];
  let count = 0;
  const made = createShelf<string>((value) => log.push(`closes ${value}`));
  const open = () => {
    count += 1;
    log.push(`opens ${count}`);
    return `${count}`;
  };
  return { log, hold: (key: string) => made.hold(key, open), peek: made.peek };
}

it('opens for the first, and closes a moment after the last', () => {
  const { log, hold, peek } = shelf();
  expect(peek('a')).toBeUndefined();
  const [one, two] = [hold('a'), hold('a')];
  expect([one.value, two.value, peek('a'), log]).toEqual(['1', '1', '1', ['opens 1']]);
  one.release();
  vi.advanceTimersByTime(LINGER_MS * 2);
  two.release();
  vi.advanceTimersByTime(LINGER_MS - 1);
  expect(log).toEqual(['opens 1']);
  vi.advanceTimersByTime(1);
  expect([log, peek('a')]).toEqual([['opens 1', 'closes 1'], undefined]);
  hold('a');
  expect(log).toEqual(['opens 1', 'closes 1', 'opens 2']);
});

it('keeps what is let go of and taken again', () => {
  const { log, hold } = shelf();
  for (let time = 0; time < 3; time += 1) {
    hold('a').release();
    vi.advanceTimersByTime(LINGER_MS - 1);
  }
  expect(log).toEqual(['opens 1']);
});

it('lets go once, however often it is told', () => {
  const { log, hold } = shelf();
  const [one] = [hold('a'), hold('a')];
  one.release();
  one.release();
  vi.advanceTimersByTime(LINGER_MS);
  expect(log).toEqual(['opens 1']);
});

it('keeps keys apart', () => {
  const { log, hold } = shelf();
  hold('a').release();
  hold('b');
  vi.advanceTimersByTime(LINGER_MS);
  expect(log).toEqual(['opens 1', 'opens 2', 'closes 1']);
});
