import { beforeEach, describe, expect, it } from 'vitest';
import { OutboxFloor } from '../../src/capture/relay-floor.ts';
import type { Database } from '../../src/store/postgres/database.ts';

describe('the floor of the outbox', () => {
  let now: number;
  let mark: { readonly id: number; readonly xid: number };
  let floor: OutboxFloor;

  beforeEach(() => {
    now = 0;
    mark = { id: 100, xid: 50 };
    floor = new OutboxFloor({ query: async () => [mark] } as unknown as Database, () => now);
  });

  /** Where a look that is answered in this snapshot begins, and where it is made again, if it is. */
  async function looks(snapshot: string): Promise<readonly number[]> {
    const from: number[] = [];
    await floor.look(async (id) => {
      from.push(id);
      return { snapshot };
    });
    return from;
  }

  async function markNow(): Promise<void> {
    floor.moved(1000);
    await floor.mark();
  }

  it('is 0 until a mark was taken', async () => {
    floor.passed('60:60:', Number.POSITIVE_INFINITY);
    expect(await looks('60:60:')).toEqual([0]);
  });

  it('moves to the mark once nothing up to its number runs any more', async () => {
    await markNow();
    floor.passed('49:60:49,55', Number.POSITIVE_INFINITY);
    expect(await looks('60:60:')).toEqual([0]);
    floor.passed('50:50:', Number.POSITIVE_INFINITY);
    expect(await looks('60:60:')).toEqual([0]);
    floor.passed('51:60:55', Number.POSITIVE_INFINITY);
    expect(await looks('60:60:')).toEqual([100]);
  });

  it('stays below what is left, and below what was not looked at', async () => {
    await markNow();
    floor.passed('60:60:', 41);
    expect(await looks('60:60:')).toEqual([41]);
    floor.passed('60:60:', 100);
    expect(await looks('60:60:')).toEqual([100]);
  });

  it('is skipped after a second, and looked at again when a transaction of then has ended', async () => {
    await markNow();
    now = 999;
    floor.passed('20:60:20,30', Number.POSITIVE_INFINITY);
    expect(await looks('20:60:20,30')).toEqual([0]);
    now = 1000;
    floor.passed('20:60:20,30,55', Number.POSITIVE_INFINITY);
    expect(await looks('20:60:20,30')).toEqual([100]);
    expect(await looks('20:70:20,61')).toEqual([100, 0]);
    // What ended is not looked for any more, once it was moved.
    floor.passed('20:70:20,61', 80);
    expect(await looks('20:70:20,61')).toEqual([100, 0]);
    floor.passed('20:70:20,61', 100);
    expect(await looks('20:70:20,61')).toEqual([100]);
    expect(await looks('70:70:')).toEqual([100, 0]);
  });

  it('is not skipped by a snapshot that is older than the mark', async () => {
    await markNow();
    now = 5000;
    floor.passed('20:45:20', Number.POSITIVE_INFINITY);
    expect(await looks('20:45:20')).toEqual([0]);
  });

  it('is forgotten when the sequence stands lower than before', async () => {
    await markNow();
    floor.passed('60:60:', Number.POSITIVE_INFINITY);
    mark = { id: 99, xid: 70 };
    await markNow();
    expect(await looks('80:80:')).toEqual([0]);
  });

  it('takes a mark only when it is worth a statement', async () => {
    now = 10_000;
    floor.moved(199);
    await floor.mark();
    floor.passed('60:60:', Number.POSITIVE_INFINITY);
    expect(await looks('60:60:')).toEqual([100]);
    mark = { id: 200, xid: 80 };
    now = 10_249;
    floor.moved(199);
    await floor.mark();
    floor.passed('90:90:', Number.POSITIVE_INFINITY);
    expect(await looks('90:90:')).toEqual([100]);
    floor.moved(1);
    await floor.mark();
    floor.passed('90:90:', Number.POSITIVE_INFINITY);
    expect(await looks('90:90:')).toEqual([200]);
    now = 20_000;
    mark = { id: 300, xid: 95 };
    await floor.mark();
    await floor.mark({ atMostEveryMs: 10_000 });
    floor.passed('99:99:', Number.POSITIVE_INFINITY);
    expect(await looks('99:99:')).toEqual([200]);
  });
});
