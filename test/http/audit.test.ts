import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Principal } from '../../src/auth/principal.ts';
import { type Audit, type AuditOptions, createAudit } from '../../src/http/audit.ts';
import { NO_GRANTS } from '../../src/protocol/grants.ts';
import type { AuditStore } from '../../src/store/audit-store.ts';
import { createMemoryAudit } from '../../src/store/memory-audit.ts';
import { StoreUnavailable } from '../../src/store/store.ts';

const principal: Principal = {
  kind: 'token',
  sub: 'ada',
  role: 'authenticated',
  grants: NO_GRANTS,
  expires: undefined,
  issued: 0,
  ids: [],
  claims: {},
};
const reader = { principal, address: '192.0.2.1', request: 'r-1' };

describe('the audit of a node', () => {
  let kept: AuditStore;
  let state: 'there' | 'away' | 'unsure' | 'broken';
  let writes: number[];
  let faults: unknown[];
  let audits: Audit[];

  beforeEach(() => {
    vi.useFakeTimers({ now: 1_700_000_000_000 });
    kept = createMemoryAudit(100_000);
    state = 'there';
    writes = [];
    faults = [];
    audits = [];
  });
  afterEach(async () => {
    state = 'there';
    for (const audit of audits) await audit.close();
    expect(vi.getTimerCount(), 'timers left behind').toBe(0);
    vi.useRealTimers();
  });

  async function attempt<Item>(items: readonly Item[], write: (items: readonly Item[]) => Promise<void>) {
    writes.push(items.length);
    if (state === 'away') throw new StoreUnavailable('away');
    if (state === 'broken') throw new TypeError('broken');
    await write(items);
    if (state === 'unsure') throw new StoreUnavailable('cut off after the commit');
  }
  const open = (options: Partial<AuditOptions> = {}): Audit => {
    const audit = createAudit({
      store: {
        ...kept,
        begin: (entries) => attempt(entries, kept.begin),
        end: (ends) => attempt(ends, kept.end),
      },
      scope: 'collections',
      isCollection: (name) => name === 'orders',
      node: 'node0001',
      clock: Date.now,
      onFault: (error) => faults.push(error),
      ...options,
    });
    audits.push(audit);
    return audit;
  };
  const list = (audit: Audit) => audit.note(reader, { kind: 'list', name: 'orders' });
  const entries = () => kept.read({ limit: 100_000 });

  it('writes what was read within a second, together', async () => {
    const audit = open();
    audit.note(reader, { kind: 'record', name: 'orders', key: '42' }, Date.now() - 5);
    audit.note(
      { principal: { ...principal, sub: undefined, role: 'anon' }, address: undefined, request: undefined },
      { kind: 'list', name: 'orders' },
    );
    expect(writes).toEqual([]);
    await vi.advanceTimersByTimeAsync(1000);
    expect(writes).toEqual([2]);
    const now = 1_700_000_000_000;
    const both = { ref: expect.any(String), node: 'node0001', name: 'orders', until: now, count: null };
    expect(await entries()).toEqual([
      { ...both, id: 2, kind: 'list', key: null, sub: null, role: 'anon', address: null, request: null, since: now },
      {
        ...both,
        id: 1,
        kind: 'record',
        key: '42',
        sub: 'ada',
        role: 'authenticated',
        address: '192.0.2.1',
        request: 'r-1',
        since: now - 5,
      },
    ]);
  });

  it('says when a stream ended: with its entry, or after it', async () => {
    const audit = open();
    const stream = { kind: 'stream', name: 'orders' } as const;
    const [short, long] = [audit.begin(reader, stream), audit.begin(reader, stream)];
    await vi.advanceTimersByTimeAsync(500);
    short?.();
    await vi.advanceTimersByTimeAsync(600);
    expect((await entries()).map(({ until }) => until)).toEqual([null, 1_700_000_000_500]);
    long?.();
    long?.();
    await vi.advanceTimersByTimeAsync(1000);
    expect((await entries()).map(({ until }) => until)).toEqual([1_700_000_001_100, 1_700_000_000_500]);
    expect(writes).toEqual([2, 1]);
  });

  it('does not wait for the second when 500 entries have come', async () => {
    const audit = open();
    for (let index = 0; index < 500; index += 1) list(audit);
    await vi.advanceTimersByTimeAsync(0);
    expect(writes).toEqual([500]);
    expect((await entries()).length).toBe(500);
  });

  it('notes collections only, or everything, or nothing', async () => {
    for (const [scope, names] of [
      ['none', []],
      ['collections', ['orders']],
      ['all', ['chat', 'orders']],
    ] as const) {
      kept = createMemoryAudit(100);
      const audit = open({ scope });
      for (const name of ['orders', 'chat']) {
        audit.note(reader, { kind: 'page', name });
        audit.begin(reader, { kind: 'stream', name })?.();
      }
      await audit.close();
      expect(
        (await entries()).map(({ name }) => name),
        scope,
      ).toEqual(names.flatMap((name) => [name, name]));
    }
  });

  it('keeps entries and ends while the store is away, asks once a second, and writes them when it is back', async () => {
    const audit = open();
    const end = audit.begin(reader, { kind: 'stream', name: 'orders' });
    state = 'away';
    for (let index = 0; index < 1200; index += 1) list(audit);
    await vi.advanceTimersByTimeAsync(5000);
    end?.();
    expect(writes.length).toBeLessThanOrEqual(7);
    state = 'there';
    await vi.advanceTimersByTimeAsync(2500);
    const all = await entries();
    expect(all.length).toBe(1201);
    expect(all.filter(({ until }) => until === null)).toEqual([]);
    expect(faults).toEqual([]);
  });

  it('writes an entry once when it cannot know whether it did', async () => {
    const audit = open();
    state = 'unsure';
    const end = audit.begin(reader, { kind: 'stream', name: 'orders' });
    await vi.advanceTimersByTimeAsync(1000);
    end?.();
    state = 'there';
    await vi.advanceTimersByTimeAsync(2000);
    expect((await entries()).map(({ until }) => until)).toEqual([1_700_000_001_000]);
  });

  it('lets the oldest go when too many wait, and says how many in an entry of its own', async () => {
    const audit = open({ queue: 1000 });
    state = 'away';
    for (let index = 0; index < 3000; index += 1) {
      list(audit);
      if (index % 100 === 0) await vi.advanceTimersByTimeAsync(100);
    }
    state = 'there';
    await vi.advanceTimersByTimeAsync(4000);
    const all = await entries();
    const lost = all.filter(({ kind }) => kind === 'lost');
    const rest = all.filter(({ kind }) => kind === 'list');
    expect(rest.length).toBeLessThanOrEqual(1000);
    expect(rest.length).toBeGreaterThanOrEqual(500);
    expect(lost.reduce((sum, { count }) => sum + (count ?? 0), 0) + rest.length).toBe(3000);
    const oldest = Math.min(...rest.map(({ since }) => since));
    for (const { name, since, until } of lost) {
      expect(name).toBeNull();
      expect(since).toBeLessThanOrEqual(oldest);
      expect(until).toBeGreaterThanOrEqual(since);
    }
  });

  it('counts as lost what the store refuses for good, and goes on', async () => {
    const audit = open();
    state = 'broken';
    list(audit);
    list(audit);
    await vi.advanceTimersByTimeAsync(1000);
    state = 'there';
    list(audit);
    await vi.advanceTimersByTimeAsync(2000);
    expect(faults.length).toBeGreaterThan(0);
    expect((await entries()).map(({ kind, count }) => [kind, count]).sort()).toEqual([
      ['list', null],
      ['lost', 2],
    ]);
  });

  it('writes what waits when it is closed, and waits two seconds for it at most', async () => {
    const audit = open();
    list(audit);
    await audit.close();
    expect((await entries()).length).toBe(1);
    const stuck = open({ store: { ...kept, begin: () => new Promise<void>(() => {}) } });
    list(stuck);
    const closed = vi.fn();
    void stuck.close().then(closed);
    await vi.advanceTimersByTimeAsync(2000);
    expect(closed).toHaveBeenCalled();
    audits.pop();
  });

  it('forgets after 90 days', async () => {
    const audit = open();
    list(audit);
    await vi.advanceTimersByTimeAsync(90 * 86_400_000);
    await audit.prune();
    expect((await entries()).length).toBe(1);
    await vi.advanceTimersByTimeAsync(1);
    await audit.prune();
    expect((await entries()).length).toBe(0);
  });
});
