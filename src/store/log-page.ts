/** What the stores share in reading pages. */
import type { LogPage } from './store.ts';

/** The most that a page reads, in bytes of bodies; at least one batch always comes. */
export const PAGE_BYTES = 1024 * 1024;

/** Whether a page holds an event for a reader at `after`: one that is neither seen, nor gone, nor compacted away. */
export function holdsEvent({ batches, oldest }: LogPage, after: number): boolean {
  const from = Math.max(after + 1, oldest);
  return batches.some(({ first, bodies }) => bodies.some((body, index) => body !== '' && first + index >= from));
}

/** Reads on, past what compaction has left empty, to a page that holds something; or to the end. @param read one page after a seq */
export async function readHeld(read: (after: number) => LogPage | Promise<LogPage>, after: number): Promise<LogPage> {
  for (let position = after; ; ) {
    const page = await read(position);
    const end = endOf(page);
    if (end === undefined || holdsEvent(page, after)) return page;
    position = end;
  }
}

/** The seq of the last event that a page reaches; `undefined` when it is empty. */
export function endOf({ batches }: LogPage): number | undefined {
  const last = batches.at(-1);
  return last && last.first + last.bodies.length - 1;
}
