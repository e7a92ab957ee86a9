import { expect, it } from 'vitest';
import type { Access, AccessQuery, AuditStore, StoredAccess } from '../../../src/store/audit-store.ts';
import type { Harness } from '../contract.ts';
import { freshTopic } from './log.ts';

/** A moment that no test's clock comes near: what is pruned before it is this suite's alone. */
const LONG_AGO = 1_000_000;

function access(name: string | null, since: number, more: Partial<Access> = {}): Access {
  return {
    ref: crypto.randomUUID(),
    node: 'node0001',
    kind: 'page',
    name,
    key: null,
    sub: null,
    role: 'anon',
    address: null,
    request: null,
    since,
    until: since,
    count: null,
    ...more,
  };
}

export function auditing(harness: Harness): void {
  const auditOf = (node: 0 | 1): AuditStore => harness().nodes[node].audit!;
  const read = (query: Partial<AccessQuery>) => auditOf(1).read({ limit: 1000, ...query });
  const refs = (found: readonly StoredAccess[]) => refsOf(...found);

  it('gives an entry back as it was written, on every node', async () => {
    const name = freshTopic('orders');
    const whole = access(name, 2 ** 51, {
      kind: 'record',
      key: `k'"\\ 🎈`,
      sub: 'ada',
      role: 'authenticated',
      address: '::1',
      request: 'r-1',
      until: 2 ** 51 + 1,
    });
    const lost = access(null, 2 ** 51, { kind: 'lost', sub: name, role: null, count: 7 });
    await auditOf(0).begin([whole, lost]);
    expect(await read({ name })).toEqual([{ ...whole, id: expect.any(Number) }]);
    expect(await read({ sub: name })).toEqual([{ ...lost, id: expect.any(Number) }]);
  });

  it('writes an entry once, however often it is asked to', async () => {
    const name = freshTopic('t');
    const entries = [access(name, 5), access(name, 6)];
    await auditOf(0).begin(entries);
    await auditOf(1).begin([...entries, access(name, 7)]);
    expect((await read({ name })).map(({ since }) => since)).toEqual([7, 6, 5]);
  });

  it('takes the end of a reading afterwards, and passes over what is not there', async () => {
    const name = freshTopic('t');
    const [one, other] = [access(name, 1, { until: null }), access(name, 2, { until: null })];
    await auditOf(0).begin([one, other]);
    await auditOf(1).end([
      { ref: crypto.randomUUID(), until: 9 },
      { ref: one.ref, until: 8 },
    ]);
    expect((await read({ name })).map(({ until }) => until)).toEqual([null, 8]);
  });

  it('finds by name, by reader, and by when the reading went on', async () => {
    const [name, sub] = [freshTopic('t'), freshTopic('sub')];
    const early = access(name, 10, { sub, until: 19 });
    const long = access(name, 15, { until: 40 });
    const open = access(name, 30, { sub, until: null });
    const elsewhere = access(freshTopic('t'), 12, { sub });
    await auditOf(0).begin([early, long, open, elsewhere]);
    expect(refs(await read({ name }))).toEqual(refsOf(open, long, early));
    expect(refs(await read({ sub }))).toEqual(refsOf(open, elsewhere, early));
    expect(refs(await read({ name, sub }))).toEqual(refsOf(open, early));
    expect(refs(await read({ name, since: 19 }))).toEqual(refsOf(open, long, early));
    expect(refs(await read({ name, since: 20 }))).toEqual(refsOf(open, long));
    expect(refs(await read({ name, since: 50 }))).toEqual(refsOf(open));
    expect(refs(await read({ name, until: 30 }))).toEqual(refsOf(long, early));
    expect(refs(await read({ name, since: 20, until: 30 }))).toEqual(refsOf(long));
  });

  it('reads page by page, also among entries of one moment', async () => {
    const name = freshTopic('t');
    const entries = Array.from({ length: 25 }, (_, index) => access(name, Math.floor(index / 10)));
    await auditOf(0).begin(entries);
    const seen: StoredAccess[] = [];
    for (;;) {
      const page = await read({ name, limit: 4, after: seen.at(-1) });
      expect(page.length).toBeLessThanOrEqual(4);
      seen.push(...page);
      if (page.length < 4) break;
    }
    expect(new Set(refs(seen))).toEqual(new Set(entries.map(({ ref }) => ref)));
    expect(seen.length).toBe(25);
    expect(seen.map(({ since }) => since)).toEqual(entries.map(({ since }) => since).toReversed());
  });

  it('forgets what ended before a moment, and what never ended and began before it', async () => {
    const name = freshTopic('t');
    await auditOf(0).prune(LONG_AGO + 100);
    const at = (since: number, until: number | null) => access(name, LONG_AGO + since, { until });
    const ended = at(0, LONG_AGO + 99);
    const lasting = at(0, LONG_AGO + 100);
    const crashed = at(99, null);
    const open = at(100, null);
    await auditOf(0).begin([ended, lasting, crashed, open]);
    expect(await auditOf(1).prune(LONG_AGO + 100)).toBe(2);
    expect(new Set(refs(await read({ name })))).toEqual(new Set(refsOf(lasting, open)));
  });

  it('forgets any number of entries', async () => {
    const name = freshTopic('t');
    await auditOf(0).prune(LONG_AGO);
    await auditOf(0).begin(Array.from({ length: 2500 }, (_, index) => access(name, index)));
    expect(await auditOf(1).prune(2200)).toBe(2200);
    expect((await read({ name, limit: 1000 })).length).toBe(300);
  });
}

function refsOf(...entries: readonly Access[]): readonly string[] {
  return entries.map(({ ref }) => ref);
}
