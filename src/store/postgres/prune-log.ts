/**
 * Pruning: moving each topic's `oldest` forward, and then freeing the batches behind it.
 *
 * The bound that readers see is exact and moves at once, by one update of the topic's row. The rows behind it go afterwards,
 * at most `STEP` in a statement, so that no append waits for longer than that update, however much there is to free. What a
 * crash leaves behind is found by the next run, since rows are freed by comparison with `oldest` alone.
 */
import { IDEMPOTENCY_MS } from '../../protocol/limits.ts';
import type { Retention } from '../store.ts';
import type { Database } from './database.ts';

/** Topics looked at in one statement, and batches freed in one. */
const TOPICS = 500;
const STEP = 500;

interface Candidate {
  readonly id: number;
  readonly name: string;
  readonly latest: number;
  readonly oldest: number;
  readonly bytes: number;
  /** When the oldest batch that is still kept was appended. */
  readonly oldest_time: number | null;
  /** The first batch on disk, kept or not. */
  readonly first_last: number | null;
}

const CANDIDATES = `
  SELECT id, name, latest, oldest, bytes,
         (SELECT time FROM sluice.batches WHERE topic_id = t.id AND last >= t.oldest ORDER BY last LIMIT 1) AS oldest_time,
         (SELECT last FROM sluice.batches WHERE topic_id = t.id ORDER BY last LIMIT 1) AS first_last
  FROM sluice.topics t WHERE id > $1 ORDER BY id LIMIT ${TOPICS}`;

const FIRST_YOUNG =
  'SELECT first FROM sluice.batches WHERE topic_id = $1 AND time >= $2::bigint ORDER BY time, last LIMIT 1';

// The oldest batch to keep: the first one from which on everything fits, looking at a bounded number of them (the next run
// goes on from there). The newest batch always stays.
const FIRST_WITHIN = `
  SELECT coalesce(min(first) FILTER (WHERE before >= $3::bigint), max(first)) AS first FROM (
    SELECT first, sum(bytes) OVER (ORDER BY last) - bytes AS before FROM sluice.batches
    WHERE topic_id = $1 AND last >= $2::bigint ORDER BY last LIMIT 10000
  ) kept`;

const MOVE = 'UPDATE sluice.topics SET oldest = $2::bigint WHERE id = $1 AND oldest < $2::bigint RETURNING oldest';

const FREE = `
  WITH freed AS (
    DELETE FROM sluice.batches WHERE topic_id = $1 AND last IN (
      SELECT last FROM sluice.batches WHERE topic_id = $1 AND last < $2::bigint ORDER BY last LIMIT ${STEP}
    ) RETURNING bytes
  ), total AS (SELECT count(*)::int AS batches, coalesce(sum(bytes), 0) AS bytes FROM freed)
  UPDATE sluice.topics SET bytes = topics.bytes - total.bytes FROM total WHERE id = $1 RETURNING total.batches`;

const FORGET_KEYS = `
  DELETE FROM sluice.idempotency WHERE (scope, key) IN (
    SELECT scope, key FROM sluice.idempotency WHERE time <= $1::bigint ORDER BY time LIMIT ${STEP}
  ) RETURNING 1`;

/** See `LogStore.prune`. */
export async function pruneLog(
  database: Database,
  retention: (topic: string) => Retention,
  now: number,
): Promise<number> {
  let forgotten = 0;
  for (let after = 0; ; ) {
    const candidates = await database.query<Candidate>(CANDIDATES, [after]);
    for (const candidate of candidates) {
      // Left over by a run that was cut short: it still counts in the topic's bytes, so it goes before anything is measured.
      if (candidate.first_last !== null && candidate.first_last < candidate.oldest) {
        await free(database, candidate.id, candidate.oldest);
        continue;
      }
      const oldest = await newOldest(database, candidate, retention(candidate.name), now);
      if (oldest > candidate.oldest) {
        const moved = await database.query(MOVE, [candidate.id, oldest]);
        if (moved.length > 0) forgotten += oldest - candidate.oldest;
      }
      if (candidate.first_last !== null && candidate.first_last < oldest) await free(database, candidate.id, oldest);
    }
    const last = candidates.at(-1);
    if (last === undefined || candidates.length < TOPICS) break;
    after = last.id;
  }
  while ((await database.query(FORGET_KEYS, [now - IDEMPOTENCY_MS])).length === STEP);
  return forgotten;
}

async function newOldest(
  database: Database,
  topic: Candidate,
  { ageMs, events, bytes }: Retention,
  now: number,
): Promise<number> {
  let { oldest } = topic;
  if (events !== undefined) oldest = Math.max(oldest, topic.latest - events + 1);
  if (ageMs !== undefined && topic.oldest_time !== null && topic.oldest_time < now - ageMs) {
    const [young] = await database.query<{ readonly first: number }>(FIRST_YOUNG, [topic.id, now - ageMs]);
    // Nothing young enough is left, but the log may have grown since it was looked at: what is beyond `latest` stays.
    oldest = Math.max(oldest, young?.first ?? topic.latest + 1);
  }
  if (bytes !== undefined && topic.bytes > bytes) {
    const [within] = await database.query<{ readonly first: number | null }>(FIRST_WITHIN, [
      topic.id,
      topic.oldest,
      topic.bytes - bytes,
    ]);
    oldest = Math.max(oldest, within?.first ?? oldest);
  }
  return oldest;
}

async function free(database: Database, id: number, oldest: number): Promise<void> {
  for (;;) {
    const [row] = await database.query<{ readonly batches: number }>(FREE, [id, oldest]);
    if (row === undefined || row.batches < STEP) return;
  }
}
