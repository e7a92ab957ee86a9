import { afterEach, describe, expect, it } from 'vitest';
import type { Principal } from '../../src/auth/principal.ts';
import { TimerWheel } from '../../src/delivery/timer-wheel.ts';
import { createWebSink } from '../../src/delivery/web-sink.ts';
import { OpenStreams } from '../../src/http/open-streams.ts';
import { NO_GRANTS } from '../../src/protocol/grants.ts';

const NOBODY: Principal = {
  kind: 'anonymous',
  sub: undefined,
  role: 'anonymous',
  grants: NO_GRANTS,
  expires: undefined,
  issued: 0,
  ids: [],
  claims: {},
};

describe('a stream that is opened after all others were ended', () => {
  const wheel = new TimerWheel(() => undefined);
  afterEach(() => wheel.stop());

  function opened(isRevoked: boolean, before: (streams: OpenStreams) => void = () => undefined) {
    const closed: string[] = [];
    const streams = new OpenStreams({
      node: 'node0001',
      wheel,
      clock: Date.now,
      audit: { begin: () => undefined },
      isCollection: () => false,
      isRevoked: () => isRevoked,
      onDelivery: () => undefined,
      onClose: (reason) => closed.push(reason),
    });
    before(streams);
    const { sink, body } = createWebSink();
    const reader = {
      principal: NOBODY,
      address: undefined,
      request: undefined,
      released: () => closed.push('released'),
    };
    streams.open({ format: 'sse', sink }, reader, ['t']);
    return { streams, closed, text: () => new Response(body).text() };
  }

  it('stays when there was no reason', () => {
    const { streams, closed } = opened(false);
    expect([streams.size, closed]).toEqual([1, []]);
    streams.drain();
  });

  it('ends too when the server drains, and says so', async () => {
    const { streams, closed, text } = opened(false, (all) => all.drain());
    expect([streams.size, closed]).toEqual([0, ['released', 'draining']]);
    expect(await text()).toMatch(/event: \$open\n.*event: \$close\n.*"reason":"draining"/s);
  });

  it('ends too when its token was revoked', async () => {
    const { streams, closed, text } = opened(true);
    expect([streams.size, closed]).toEqual([0, ['released', 'revoked']]);
    expect(await text()).toContain('"reason":"revoked"');
  });
});

describe('a stream that may not last for ever', () => {
  it('asks its reader to come back when its time is over, each at another moment', async () => {
    let now = 1_000_000;
    const wheel = new TimerWheel(
      () => undefined,
      () => now,
    );
    const closed: number[] = [];
    const streams = new OpenStreams({
      node: 'node0001',
      wheel,
      clock: () => now,
      audit: { begin: () => undefined },
      isCollection: () => false,
      isRevoked: () => false,
      lifeMs: 600_000,
      onDelivery: () => undefined,
      onClose: () => closed.push(now - 1_000_000),
    });
    const reader = { principal: NOBODY, address: undefined, request: undefined, released: () => undefined };
    const bodies = Array.from({ length: 20 }, () => {
      const { sink, body } = createWebSink();
      streams.open({ format: 'sse', sink }, reader, ['t']);
      return body;
    });
    while (now < 1_000_000 + 601_000) {
      now += 1000;
      wheel.advance();
    }
    wheel.stop();
    expect(streams.size).toBe(0);
    expect(closed).toHaveLength(20);
    expect(Math.min(...closed)).toBeGreaterThanOrEqual(540_000);
    expect(Math.max(...closed)).toBeLessThanOrEqual(601_000);
    expect(new Set(closed).size).toBeGreaterThan(5);
    expect(await new Response(bodies[0]).text()).toMatch(/event: \$close\n(.*\n)?retry: \d+\n.*"reason":"draining"/s);
  });
});
