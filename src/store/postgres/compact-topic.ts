/** Compaction of one topic: from the newest batch to the oldest, rewriting those that hold a superseded event. */
import { byteLengthOf } from '../byte-length.ts';
import { compactBatches } from '../compact.ts';
import type { Database } from './database.ts';

interface Row {
  readonly first: number;
  readonly last: number;
  readonly time: number;
  readonly bodies: string;
}

/** Batches read in one statement. */
const STEP = 200;

// By id from here on: a topic that is dropped meanwhile goes on under another one.
const TOPIC = 'SELECT id FROM sluice.topics WHERE name = $1';

const READ_BACK = `
  SELECT first, last, time, bodies FROM sluice.batches
  WHERE topic_id = $1 AND last < $2::bigint ORDER BY last DESC LIMIT ${STEP}`;

// A batch whose events are all gone goes too. A batch that was pruned meanwhile is not found, and nothing happens.
const REWRITE = `
  WITH old AS (
    SELECT topic_id, last, bytes FROM sluice.batches WHERE topic_id = $1 AND last = $2::bigint FOR UPDATE
  ), emptied AS (
    DELETE FROM sluice.batches b USING old WHERE $4::int = 0 AND b.topic_id = old.topic_id AND b.last = old.last
  ), rewritten AS (
    UPDATE sluice.batches b SET bodies = $3, bytes = $4::int FROM old
    WHERE $4::int > 0 AND b.topic_id = old.topic_id AND b.last = old.last
  )
  UPDATE sluice.topics t SET bytes = t.bytes - old.bytes + $4::int FROM old WHERE t.id = old.topic_id`;

/** See `LogStore.compact`. */
export async function compactTopic(database: Database, topic: string, upTo: number): Promise<number> {
  const [found] = await database.query<{ readonly id: number }>(TOPIC, [topic]);
  if (found === undefined) return 0;
  const compaction = compactBatches(upTo);
  for (let before = Number.MAX_SAFE_INTEGER; ; ) {
    const rows = await database.query<Row>(READ_BACK, [found.id, before]);
    for (const { first, last, time, bodies } of rows) {
      const kept = compaction.apply({ first, time, bodies: bodies.split('\n') });
      if (kept === undefined) continue;
      await database.query(REWRITE, [found.id, last, kept.join('\n'), byteLengthOf(kept)]);
    }
    const oldest = rows.at(-1);
    if (oldest === undefined || rows.length < STEP) return compaction.removed;
    before = oldest.last;
  }
}
