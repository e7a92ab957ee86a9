/**
 * Pruning: moving each topic's `oldest` forward, and then freeing the batches behind it.
 *
 * The bound that readers see is exact and moves at once, by one update of the topic's row. The rows behind it go afterwards,
 * at most `STEP` in a statement, so that no append waits for longer than that update, however much there is to free. What a
 * crash leaves behind is found by the next run, since rows are freed by comparison with `oldest` alone.
 *
 * Several nodes may prune at once: every statement looks at one moment, `oldest` only grows, and a topic that is dropped
 * meanwhile goes on under another id.
 */
import { IDEMPOTENCY_MS } from '../../protocol/limits.ts';
import type { Retention } from '../store.ts';
import type { Database } from './database.ts';
import { freeDropped } from './drop-topic.ts';

/** Topics looked at in one statement, batches measured in one, and batches freed in one. */
const TOPICS = 500;
const MEASURED = 10_000;
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

// The oldest batch to keep so that all that is kept fits into $2 bytes; no row when it fits. What a crash left behind counts
// among the topic's bytes until it is freed, but it is not kept. Only so many batches are measured: where that is not
// enough, the answer is the last of them, and `enough` is false. The newest batch always stays.
const FIRST_WITHIN = `
  WITH topic AS MATERIALIZED (
    SELECT id, oldest, bytes - coalesce(
      (SELECT sum(bytes) FROM sluice.batches WHERE topic_id = t.id AND last < t.oldest), 0
    ) - $2::bigint AS excess
    FROM sluice.topics t WHERE id = $1
  ), measured AS (
    SELECT first, sum(bytes) OVER (ORDER BY last) - bytes AS before, (SELECT excess FROM topic) AS excess FROM (
      SELECT first, last, bytes FROM sluice.batches
      WHERE topic_id = $1 AND last >= (SELECT oldest FROM topic WHERE excess > 0) ORDER BY last LIMIT ${MEASURED}
    ) page
  )
  SELECT coalesce(min(first) FILTER (WHERE before >= excess), max(first)) AS first,
         count(*) < ${MEASURED} OR bool_or(before >= excess) AS enough
  FROM measured HAVING count(*) > 0`;

const MOVE = `
  WITH old AS (SELECT id, oldest FROM sluice.topics WHERE id = $1 AND oldest < $2::bigint FOR UPDATE)
  UPDATE sluice.topics t SET oldest = $2::bigint FROM old WHERE t.id = old.id RETURNING t.oldest - old.oldest AS forgotten`;

// The bounds are values and the range is one of the primary key, so that no statistics are needed to find the good plan.
const FREE = `
  WITH freed AS (
    DELETE FROM sluice.batches WHERE topic_id = $1 AND last < $2::bigint AND last <= (
      SELECT max(last) FROM (
        SELECT last FROM sluice.batches WHERE topic_id = $1 AND last < $2::bigint ORDER BY last LIMIT ${STEP}
      ) step
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
  await freeDropped(database);
  let forgotten = 0;
  for (let after = 0; ; ) {
    const candidates = await database.query<Candidate>(CANDIDATES, [after]);
    for (const candidate of candidates) forgotten += await prune(database, candidate, retention(candidate.name), now);
    const last = candidates.at(-1);
    if (last === undefined || candidates.length < TOPICS) break;
    after = last.id;
  }
  while ((await database.query(FORGET_KEYS, [now - IDEMPOTENCY_MS])).length === STEP);
  return forgotten;
}

async function prune(database: Database, topic: Candidate, retention: Retention, now: number): Promise<number> {
  let oldest = await oldestByCountAndAge(database, topic, retention, now);
  let forgotten = oldest > topic.oldest ? await move(database, topic.id, oldest) : 0;
  if (retention.bytes !== undefined && topic.bytes > retention.bytes) {
    for (let enough = false; !enough; ) {
      const [within] = await database.query<{ readonly first: number; readonly enough: boolean }>(FIRST_WITHIN, [
        topic.id,
        retention.bytes,
      ]);
      if (within === undefined || within.first <= oldest) break;
      ({ enough } = within);
      oldest = within.first;
      forgotten += await move(database, topic.id, oldest);
      // What was let go would have to be measured again.
      if (!enough) await free(database, topic.id, oldest);
    }
  }
  if (topic.first_last !== null && topic.first_last < oldest) await free(database, topic.id, oldest);
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
  for (;;) {
    const [row] = await database.query<{ readonly batches: number }>(FREE, [id, oldest]);
    if (row === undefined || row.batches < STEP) return;
  }
}
