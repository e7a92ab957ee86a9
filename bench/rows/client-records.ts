/**
 * The client's local copy: 10,000 incoming changes to a collection of 10,000 rows over which 100 of the client's own writes lie, and one
 * look at the sorted rows after all of them, or one after each hundred.
 */
import type { Mutation } from '../../src/client/mutation.ts';
import { createRecordSet, type RecordChange } from '../../src/client/records/record-set.ts';
import type { Event } from '../../src/protocol/event.ts';
import { inRounds, type Run, type Sample, series } from '../rounds.ts';
import type { Line } from '../table.ts';

const ROWS = 10_000;
const CHANGES = 10_000;
const PENDING = 100;
/** ms */
const BAR = 250;

function rowOf(id: number, version: number) {
  return {
    id,
    customer: `customer ${id % 700}`,
    status: version % 2 === 0 ? 'open' : 'paid',
    note: null,
    items: id % 9,
    total: `${(id * 7919 + version * 31) % 100_000}.50`,
    placedAt: `2026-11-21T05:47:${String(id % 60).padStart(2, '0')}.335058+00:00`,
    version,
  };
}

function mutationOf(order: number): Mutation {
  const key = String((order * 97) % ROWS);
  const write = { kind: 'patch', collection: 'orders', key, patch: { note: `call ${order}` }, base: 1 } as const;
  const times = { attempts: 0, enqueued: 0 };
  return { id: `m${order}`, order, lane: `orders/${key}`, write, state: 'pending', revision: 0, ...times };
}

type ApplyMeasures = { readonly milliseconds: number };

/** @param between how many changes come between two looks */
function measure(order: string, between: number): Sample<ApplyMeasures> {
  const names = { collection: 'orders', key: ['id'], version: 'version' };
  const set = createRecordSet({ ...names, filters: [], order, limit: ROWS, room: ROWS });
  set.list()(
    Array.from({ length: ROWS }, (_, id) => rowOf(id, 1)),
    false,
  );
  for (let order = 0; order < PENDING; order += 1) set.mutate(mutationOf(order));
  if (set.rows().length !== ROWS) throw new Error('rows are missing');
  const changes = Array.from({ length: CHANGES }, (_, index): Event<RecordChange> => {
    const id = (index * 7919) % ROWS;
    const data = { new: rowOf(id, 2), version: 2, changed: ['status', 'total'] };
    return { topic: 'orders', time: '', type: 'update', key: String(id), data };
  });
  const before = performance.now();
  for (const [index, change] of changes.entries()) {
    set.apply(change);
    if ((index + 1) % between === 0) set.rows();
  }
  const rows = set.rows();
  const after = performance.now();
  if (rows.length !== ROWS || rows.some(({ version }) => version !== 2)) throw new Error('changes are missing');
  if (rows.filter(({ note }) => note !== null).length !== PENDING) throw new Error('own writes are missing');
  return { milliseconds: after - before };
}

const LOOKS = [
  { measure: '10,000 changes to 10,000 rows by key, one look', order: 'id.asc', between: CHANGES },
  { measure: 'the same by another field', order: 'total.desc', between: CHANGES },
  { measure: 'the same, a look after each 100', order: 'total.desc', between: 100 },
] as const;

export async function clientRecords(run: Run): Promise<readonly Line[]> {
  const samples = await inRounds<ApplyMeasures>(
    run,
    LOOKS.map(({ measure: name, order, between }) => ({ name, measure: async () => measure(order, between) })),
  );
  return LOOKS.map(({ measure: name }) => ({
    row: 'client records',
    measure: name,
    unit: 'ms',
    sluice: series(samples, name, 'milliseconds'),
    bar: { of: 'value', is: 'at most', limit: BAR },
  }));
}
