/** Compares what tabs show with what the server has: every write once, every event in its place, every row. */
import { isDeepStrictEqual } from 'node:util';
import { mutationOf } from '../../../src/client/mutation.ts';
import { seqOf } from '../../crash/clients.ts';
import type { TabView, TopicView } from './page.ts';
import type { KeptWrite, Storm } from './storm.ts';
import type { LoggedEvent, System } from './system.ts';

/** What the server has. */
interface Truth {
  readonly logs: ReadonlyMap<string, readonly LoggedEvent[]>;
  readonly rows: readonly unknown[];
}

/** @returns what is wrong, or not yet as it must be */
export async function findFaults(
  { topics, kept, gone }: Storm,
  views: readonly TabView[],
  system: System,
): Promise<readonly string[]> {
  const logs = new Map<string, readonly LoggedEvent[]>();
  for (const topic of [...topics, 'items']) logs.set(topic, await system.log(topic));
  const rows = await system.sql`SELECT id, title, n, note, version FROM items ORDER BY id`;
  const truth: Truth = { logs, rows: rows.map((row) => ({ ...row })) };
  return [
    ...kept.flatMap((write) => faultsOfWrite(write, truth, views[0]!)),
    ...topics.flatMap((topic) => faultsOfLog(topic, logs.get(topic) ?? [])),
    ...gone.flatMap((view, index) => faultsOfEvents(view, truth, `gone tab ${index}`, false)),
    ...views.flatMap((view, index) => faultsOfTab(view, truth, `tab ${index}`)),
  ];
}

/** Applied once, or a dead letter. */
function faultsOfWrite({ id, topic, data }: KeptWrite, { logs }: Truth, { dead }: TabView): readonly string[] {
  const events = (logs.get(topic) ?? []).filter(({ mutation = '' }) => mutationOf(mutation) === id);
  const letter = dead.find(({ key }) => mutationOf(key) === id);
  const once =
    data === undefined
      ? events.length === 1
      : isDeepStrictEqual(
          events.map((event) => event.data),
          data,
        );
  const none = events.length === 0;
  // Of an uncertain one nobody knows; but it is not there twice.
  if (letter === undefined ? once : none || (once && letter.kind === 'uncertain')) return [];
  const [what, found] = [`the write ${id} to ${topic}`, JSON.stringify(events)];
  return [`${what} (${JSON.stringify(data)}, ${letter?.kind ?? 'no dead letter'}) is in the log as ${found}`];
}

/** No number was published twice, whoever published it. */
function faultsOfLog(topic: string, log: readonly LoggedEvent[]): readonly string[] {
  const numbers = log.map(({ data }) => data);
  const twice = numbers.filter((data, index) => numbers.indexOf(data) !== index);
  return twice.length === 0 ? [] : [`twice in the log of ${topic}: ${twice.join(', ')}`];
}

function faultsOfTab(view: TabView, truth: Truth, who: string): readonly string[] {
  const faults = [...faultsOfEvents(view, truth, who, true)];
  const waiting = view.waiting.filter(({ state }) => state !== 'acknowledged');
  if (waiting.length > 0) faults.push(`${who} has not sent ${JSON.stringify(waiting)}`);
  if (view.query !== 'live') faults.push(`the query of ${who} is ${view.query}`);
  if (!isDeepStrictEqual(view.rows, truth.rows)) faults.push(`${who} has ${differences(view.rows, truth.rows)}`);
  return faults;
}

function differences(has: readonly unknown[], wants: readonly unknown[]): string {
  const [ours, theirs] = [has, wants].map((rows) => rows.map((row) => JSON.stringify(row)));
  const extra = ours!.filter((row) => !theirs!.includes(row));
  const missing = theirs!.filter((row) => !ours!.includes(row));
  return `${extra.join() || 'the same rows in another order'} instead of ${missing.join()}`;
}

/** @param whole whether it must have come to the end of the log */
function faultsOfEvents(view: TabView, { logs }: Truth, who: string, whole: boolean): readonly string[] {
  return Object.entries(view.topics).flatMap(([topic, told]) => {
    const why = faultOfTopic(told, logs.get(topic) ?? [], whole);
    return why === undefined ? [] : [`${who}, ${topic}: ${why}`];
  });
}

/** From where it began on: each event of the log once, in order. */
function faultOfTopic({ start, events, gaps, state }: TopicView, log: readonly LoggedEvent[], whole: boolean) {
  if (gaps.length > 0) return `gaps ${JSON.stringify(gaps)}`;
  if (whole && state !== 'live') return state;
  const [first] = events;
  const began = start === undefined ? first && seqOf(first.id ?? '') - 1 : seqOf(start);
  const from = log.filter(({ id }) => seqOf(id) > (began ?? Number.POSITIVE_INFINITY));
  const expected = (whole ? from : from.slice(0, events.length)).map(({ id }) => id);
  const told = events.map(({ id }) => id);
  return isDeepStrictEqual(told, expected) ? undefined : `told ${told.join()} instead of ${expected.join()}`;
}
