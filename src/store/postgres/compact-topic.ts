/** Compaction of one topic: from the newest batch to the oldest, rewriting those that hold a superseded event. */
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

const READ_BACK = `
  SELECT first, last, time, bodies FROM sluice.batches
  WHERE topic_id = (SELECT id FROM sluice.topics WHERE name = $1) AND last < $2::bigint ORDER BY last DESC LIMIT ${STEP}`;

// A batch whose events are all gone goes too. A batch that was pruned meanwhile is not found, and nothing happens.
const REWRITE = `
  WITH topic AS (SELECT id FROM sluice.topics WHERE name = $1), old AS (
    SELECT topic_id, last, bytes FROM sluice.batches WHERE topic_id = (SELECT id FROM topic) AND last = $2::bigint FOR UPDATE
  ), emptied AS (
    DELETE FROM sluice.batches b USING old WHERE $4::boolean AND b.topic_id = old.topic_id AND b.last = old.last
  ), rewritten AS (
    UPDATE sluice.batches b SET bodies = $3, bytes = octet_length($3) FROM old
    WHERE NOT $4::boolean AND b.topic_id = old.topic_id AND b.last = old.last
  )
  UPDATE sluice.topics t SET bytes = t.bytes - old.bytes + CASE WHEN $4::boolean THEN 0 ELSE octet_length($3) END
  FROM old WHERE t.id = old.topic_id`;

/** See `LogStore.compact`. */
export async function compactTopic(database: Database, topic: string, upTo: number): Promise<number> {
  const compaction = compactBatches(upTo);
  for (let before = Number.MAX_SAFE_INTEGER; ; ) {
    const rows = await database.query<Row>(READ_BACK, [topic, before]);
    for (const { first, last, time, bodies } of rows) {
      const kept = compaction.apply({ first, time, bodies: bodies.split('\n') });
      if (kept === undefined) continue;
      await database.query(REWRITE, [topic, last, kept.join('\n'), String(kept.every((body) => body === ''))]);
    }
    const oldest = rows.at(-1);
    if (oldest === undefined || rows.length < STEP) return compaction.removed;
    before = oldest.last;
  }
}
