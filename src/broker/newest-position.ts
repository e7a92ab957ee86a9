/** Where the newest events of a compacted topic begin: its seqs have holes, so they must be counted. */
import type { LogStore } from '../store/store.ts';
import { readPage } from './event-page.ts';

/** Events counted in one step. */
const PAGE = 1000;

/**
 * The seq after which exactly the newest `count` events up to `head` lie, or all that there are.
 *
 * Looks at ever longer stretches of the log's end, each twice the one before, so it reads at most about four times what it finds.
 * @throws StoreUnavailable
 */
export async function newestPosition(log: LogStore, topic: string, head: number, count: number): Promise<number> {
  if (count === 0) return head;
  for (let length = count; ; length *= 2) {
    const after = Math.max(0, head - length);
    const seqs = await seqsBetween(log, topic, after, head);
    const first = seqs.at(-count);
    if (first !== undefined) return first - 1;
    if (after === 0) return 0;
  }
}

async function seqsBetween(log: LogStore, topic: string, after: number, head: number): Promise<readonly number[]> {
  const seqs: number[] = [];
  for (let position = after; position < head; ) {
    const page = await readPage(log, topic, position, PAGE);
    for (const { seq } of page.events) if (seq <= head) seqs.push(seq);
    if (page.end <= position) break;
    position = page.end;
  }
  return seqs;
}
