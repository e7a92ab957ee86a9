/** Compares what one reader was told with all that was ever in the log: each event once, in order, or a gap for exactly what is missing. */
import { expect } from 'vitest';
import { type Cursor, formatCursor, parseCursor } from '../../src/protocol/cursor.ts';
import type { Recorder } from './recorder.ts';
import type { TestLog, Truth } from './test-log.ts';

export interface Reading {
  readonly topic: string;
  readonly recorder: Recorder;
  /** Where the subscription stood before it was started. */
  readonly begun: Cursor;
  /** Where it stands now. */
  readonly position: Cursor;
  readonly chooses: (event: Truth['events'][number]) => boolean;
  readonly conflating: boolean;
  /** Whether history that was gone before replay ended may be passed over in silence. */
  readonly lenient: boolean;
  /** Whether it had every chance to read to the end. */
  readonly finished: boolean;
}

export function checkRecord(log: TestLog, reading: Reading): void {
  const { topic, recorder, begun, position, chooses, conflating, finished } = reading;
  const history = log.history(topic);
  const truthOf = (epoch: string) => history.find((truth) => truth.epoch === epoch);
  let at = begun;
  let caughtUp = false;

  /** Between `at` and `seq` nothing lies that should have been told. */
  const nothingBetween = (seq: number, told: number) => {
    const truth = truthOf(at.epoch)!;
    for (let missing = at.seq + 1; missing < seq; missing += 1) {
      const event = truth.events[missing - 1]!;
      if (!chooses(event)) continue;
      if (reading.lenient && !caughtUp && missing <= truth.prunedTo) continue;
      const superseded =
        conflating && event.key !== undefined && tellsLater(recorder, at.epoch, missing, event.key, truth);
      expect(superseded, `${topic}: event ${at.epoch}-${missing} was left out before ${told}`).toBe(true);
    }
  };

  for (const entry of recorder.entries) {
    switch (entry.kind) {
      case 'caughtUp':
        expect(caughtUp, 'caughtUp twice').toBe(false);
        expect(entry.position.epoch).toBe(at.epoch);
        nothingBetween(entry.position.seq + 1, entry.position.seq);
        at = entry.position;
        caughtUp = true;
        break;
      case 'ephemeral':
        expect(caughtUp, 'an ephemeral event before live delivery').toBe(true);
        break;
      case 'event': {
        expect(entry.epoch, 'an event of another log without a gap').toBe(at.epoch);
        expect(entry.seq, 'an event repeated or out of order').toBeGreaterThan(at.seq);
        const event = truthOf(entry.epoch)!.events[entry.seq - 1];
        expect(event?.data).toEqual(entry.data);
        expect(chooses(event!), 'an event that was not chosen').toBe(true);
        nothingBetween(entry.seq, entry.seq);
        at = { epoch: entry.epoch, seq: entry.seq };
        break;
      }
      case 'gap': {
        const { gap } = entry;
        const requested = parseCursor(gap.requested)!;
        const oldest = parseCursor(gap.oldest)!;
        const latest = parseCursor(gap.latest)!;
        expect(requested.epoch).toBe(at.epoch);
        if (gap.reason === 'unknown-epoch') {
          expect(oldest.epoch).not.toBe(requested.epoch);
          // What came after the requested position in the other log is what the gap is about.
          if (truthOf(requested.epoch) !== undefined && requested.seq > at.seq)
            nothingBetween(requested.seq + 1, requested.seq);
        } else {
          expect(oldest.epoch).toBe(requested.epoch);
          if (requested.seq > at.seq) nothingBetween(requested.seq + 1, requested.seq);
        }
        if (gap.reason === 'expired' || gap.reason === 'lagged') {
          expect(
            truthOf(oldest.epoch)!.prunedTo,
            `${formatCursor(oldest)} is not the oldest there is`,
          ).toBeGreaterThanOrEqual(entry.position.seq);
          expect(entry.position.seq).toBeGreaterThan(requested.seq);
        }
        if (gap.reason === 'ahead') expect(requested.seq).toBeGreaterThan(latest.seq);
        expect(gap.oldest, 'delivery goes on elsewhere').toBe(formatCursor(entry.position));
        at = entry.position;
        break;
      }
    }
  }

  expect(position.epoch).toBe(at.epoch);
  nothingBetween(position.seq + 1, position.seq);
  if (!finished) return;
  expect(caughtUp, 'never caught up').toBe(true);
  const now = log.now(topic);
  expect(formatCursor(position)).toBe(formatCursor({ epoch: now.epoch, seq: now.events.length }));
}

/** Whether a later event of the key was told, or let go: conflation leaves out only what something newer stands for. */
function tellsLater(recorder: Recorder, epoch: string, seq: number, key: string, truth: Truth): boolean {
  const told = recorder.entries.some(
    (entry) =>
      entry.kind === 'event' && entry.epoch === epoch && entry.seq > seq && truth.events[entry.seq - 1]!.key === key,
  );
  // Whoever was cut off by a gap was told so; what stood for the event went with it.
  return told || recorder.entries.some((entry) => entry.kind === 'gap' && parseCursor(entry.gap.requested)!.seq >= seq);
}
