/**
 * Pruning: moving each topic's `oldest` forward, and then freeing the batches behind it.
 *
 * The bound that readers see is exact and moves at once, by one update of the topic's row. The rows behind it go afterwards,
 * a bounded stretch in a statement, so that no append waits for longer than that update, however much there is to free. What a
 * crash leaves behind is found by the next run, since rows are freed by comparison with `oldest` alone.
 *
 * Several nodes may prune at once: every statement looks at one moment, `oldest` only grows, and a topic that is dropped
 * meanwhile goes on under another id.
 */
import { IDEMPOTENCY_MS } from '../../protocol/limits.ts';
import type { Retention } from '../store.ts';
import type { Database } from './database.ts';
import { freeDropped } from './drop-topic.ts';

/** Topics looked at in one statement; events whose batches are measured in one, or freed in one; keys forgotten in one. */
const TOPICS = 500;
const MEASURED = 20_000;
const STEP = 2000;
const KEYS = 500;

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

// The oldest batch to keep so that all that is kept fits into $2 bytes; no row when it fits. What a crash left behind counts
// among the topic's bytes until it is freed, but it is not kept. Only a stretch of the log is measured: where that is not
// enough, all of it goes. The newest batch always stays.
const FIRST_WITHIN = `
  WITH topic AS MATERIALIZED (
    SELECT latest, bytes - $2::bigint - coalesce(
             (SELECT sum(bytes) FROM sluice.batches WHERE topic_id = t.id AND last < t.oldest), 0
           ) AS excess,
           (SELECT min(last) FROM sluice.batches WHERE topic_id = t.id AND last >= t.oldest) AS start
    FROM sluice.topics t WHERE id = $1
  ), measured AS (
    SELECT first, last, sum(bytes) OVER (ORDER BY last) - bytes AS before FROM sluice.batches
    WHERE topic_id = $1 AND last >= (SELECT start FROM topic WHERE excess > 0)
      AND last < (SELECT start + ${MEASURED} FROM topic)
  )
  SELECT coalesce(min(first) FILTER (WHERE before >= excess OR last = latest), max(last) + 1) AS first,
         bool_or(before >= excess OR last = latest) AS enough
  FROM measured, topic HAVING count(*) > 0`;

const MOVE = `
  WITH old AS (SELECT id, oldest FROM sluice.topics WHERE id = $1 AND oldest < $2::bigint FOR UPDATE)
  UPDATE sluice.topics t SET oldest = $2::bigint FROM old WHERE t.id = old.id RETURNING t.oldest - old.oldest AS forgotten`;

// Steps are stretches of the log, so that no plan can be so wrong as to look at all of it.
const FREE = `
  WITH step AS MATERIALIZED (
    SELECT min(last) AS start FROM sluice.batches WHERE topic_id = $1 AND last > $2::bigint AND last < $3::bigint
  ), freed AS (
    DELETE FROM sluice.batches WHERE topic_id = $1 AND last >= (SELECT start FROM step)
      AND last < least($3::bigint, (SELECT start + ${STEP} FROM step)) RETURNING bytes
  ), total AS (SELECT coalesce(sum(bytes), 0) AS bytes FROM freed)
  UPDATE sluice.topics SET bytes = topics.bytes - total.bytes FROM total, step
  WHERE id = $1 AND step.start IS NOT NULL RETURNING step.start + ${STEP} - 1 AS reached`;

const FORGET_KEYS = `
  DELETE FROM sluice.idempotency WHERE (scope, key) IN (
    SELECT scope, key FROM sluice.idempotency WHERE time <= $1::bigint ORDER BY time LIMIT ${KEYS}
  ) RETURNING 1`;

/** What writes to records were answered. */
const FORGET_WRITES = `
  DELETE FROM sluice.writes WHERE (scope, key) IN (
    SELECT scope, key FROM sluice.writes WHERE time <= $1::bigint ORDER BY time LIMIT ${KEYS}
  ) RETURNING 1`;

/** See `LogStore.prune`. */
export async function pruneLog(
  database: Database,
  retention: (topic: string) => Retention,
  now: number,
): Promise<number> {
  await freeDropped(database);
  let forgotten = 0;
  for (let after = 0; ; ) {
    const candidates = await database.query<Candidate>(CANDIDATES, [after]);
    for (const candidate of candidates) forgotten += await prune(database, candidate, retention(candidate.name), now);
    const last = candidates.at(-1);
    if (last === undefined || candidates.length < TOPICS) break;
    after = last.id;
  }
  for (const forget of [FORGET_KEYS, FORGET_WRITES])
    while ((await database.query(forget, [now - IDEMPOTENCY_MS])).length === KEYS);
  await database.tidy?.();
  return forgotten;
}

async function prune(database: Database, topic: Candidate, retention: Retention, now: number): Promise<number> {
  // Left over by a run that was cut short.
  if (topic.first_last !== null && topic.first_last < topic.oldest) await free(database, topic.id, topic.oldest);
  let oldest = await oldestByCountAndAge(database, topic, retention, now);
  let forgotten = oldest > topic.oldest ? await move(database, topic.id, oldest) : 0;
  if (retention.bytes !== undefined && topic.bytes > retention.bytes) {
    for (let enough = false; !enough; ) {
      // What was let go and is still there would have to be measured again.
      if (oldest > topic.oldest) await free(database, topic.id, oldest);
      const [within] = await database.query<{ readonly first: number; readonly enough: boolean }>(FIRST_WITHIN, [
        topic.id,
        retention.bytes,
      ]);
      if (within === undefined || within.first <= oldest) break;
      ({ enough } = within);
      oldest = within.first;
      forgotten += await move(database, topic.id, oldest);
    }
  }
  if (oldest > topic.oldest) await free(database, topic.id, oldest);
  return forgotten;
}

async function oldestByCountAndAge(
  database: Database,
  topic: Candidate,
  { ageMs, events }: Retention,
  now: number,
): Promise<number> {
  let { oldest } = topic;
  if (events !== undefined) oldest = Math.max(oldest, topic.latest - events + 1);
  if (ageMs !== undefined && topic.oldest_time !== null && topic.oldest_time < now - ageMs) {
    const [young] = await database.query<{ readonly first: number }>(FIRST_YOUNG, [topic.id, now - ageMs]);
    // Nothing young enough is left, but the log may have grown since it was looked at: what is beyond `latest` stays.
    oldest = Math.max(oldest, young?.first ?? topic.latest + 1);
  }
  return oldest;
}

/** Moves a topic's `oldest` forward, unless another node has already. Answers how many events went by it. */
async function move(database: Database, id: number, oldest: number): Promise<number> {
  const [moved] = await database.query<{ readonly forgotten: number }>(MOVE, [id, oldest]);
  return moved?.forgotten ?? 0;
}

async function free(database: Database, id: number, oldest: number): Promise<void> {
  for (let reached = 0; reached < oldest; ) {
    const [row] = await database.query<{ readonly reached: number }>(FREE, [id, reached, oldest]);
    if (row === undefined) return;
    ({ reached } = row);
  }
}
