/** What a page's events are to a client. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createEnvironment } from '../../src/client/environment.ts';

afterEach(() => vi.unstubAllGlobals());

/** A page, and the signals that its events make. */
function page(hidden: boolean) {
  const target = new EventTarget();
  for (const method of ['addEventListener', 'removeEventListener'] as const)
    vi.stubGlobal(method, target[method].bind(target));
  vi.stubGlobal('document', { hidden });
  const told: string[] = [];
  const tell = (signal: string) => () => void told.push(signal);
  const stop = createEnvironment().listen({
    network: tell('network'),
    offline: tell('offline'),
    wake: tell('wake'),
    sleep: tell('sleep'),
  });
  const fire = (...names: readonly string[]) => {
    for (const name of names) target.dispatchEvent(new Event(name));
    return told.splice(0);
  };
  return { fire, stop };
}

describe('the environment of a page', () => {
  it('tells of the network and of being shown, until nobody listens', () => {
    const { fire, stop } = page(false);
    expect(fire('online', 'offline', 'visibilitychange')).toEqual(['network', 'offline', 'wake']);
    stop();
    expect(fire('online', 'offline', 'visibilitychange')).toEqual([]);
  });

  it('tells nothing when it is hidden', () => {
    expect(page(true).fire('visibilitychange')).toEqual([]);
  });

  it.each([true, false])('wakes whoever was put to sleep, seen or not (hidden: %s)', (hidden) => {
    expect(page(hidden).fire('freeze', 'resume', 'pagehide', 'pageshow')).toEqual(['sleep', 'wake', 'sleep', 'wake']);
  });
});
