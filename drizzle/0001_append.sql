-- Names order by code point, and a lookup by name needs no knowledge of languages.
ALTER TABLE "sluice"."topics" ALTER COLUMN "name" SET DATA TYPE text COLLATE "C";
--> statement-breakpoint
-- A topic's row changes with every commit: room on its page keeps the change there, and its dead versions go early.
ALTER TABLE "sluice"."topics" SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
--> statement-breakpoint
-- Bodies are written once and read often: large ones move aside as they are, without the cost of compressing them.
ALTER TABLE "sluice"."batches" ALTER COLUMN "bodies" SET STORAGE EXTERNAL;
--> statement-breakpoint
-- Appends many publishes in one call, and so in one transaction. Item i appends p_counts[i] events, p_bodies[i] a line each,
-- to p_topics[i]; p_keys[i] is null where there is no idempotency key.
--
-- Locks are taken in one order by everybody, so that two callers can wait for each other but never in a circle: first all
-- keys, by scope and key, then all topics, by name. Holding a topic's row lock until the commit is what makes its seq free of
-- holes and its order the order of commits.
CREATE FUNCTION "sluice"."append"(
  p_topics text[], p_counts integer[], p_bodies text[], p_scopes text[], p_keys text[], p_digests text[]
) RETURNS TABLE (item integer, outcome text, topic_incarnation integer, first_seq bigint, event_count integer, event_time bigint)
LANGUAGE plpgsql AS $$
DECLARE
  v_now bigint := floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint;
  v_day bigint := 24 * 60 * 60 * 1000;
  v_items integer := cardinality(p_topics);
  v_fresh integer[];
  v_group record;
  v_topic record;
  v_first bigint;
  v_bytes bigint;
  v_item integer;
BEGIN
  IF cardinality(array_remove(p_keys, NULL)) = 0 THEN
    SELECT array_agg(i) INTO v_fresh FROM generate_series(1, v_items) i;
  ELSE
    WITH asked AS (
      SELECT i, p_scopes[i] AS scope, p_keys[i] AS key FROM generate_series(1, v_items) i WHERE p_keys[i] IS NOT NULL
    ), claimed AS (
      INSERT INTO sluice.idempotency AS k (scope, key, digest, topic, count, time)
      SELECT scope, key, p_digests[i], p_topics[i], p_counts[i], v_now FROM asked ORDER BY scope COLLATE "C", key COLLATE "C"
      ON CONFLICT (scope, key) DO UPDATE
        SET digest = excluded.digest, topic = excluded.topic, count = excluded.count, time = excluded.time
        WHERE k.time <= v_now - v_day
      RETURNING k.scope, k.key
    )
    SELECT array_agg(i) INTO v_fresh FROM (
      SELECT i FROM asked JOIN claimed USING (scope, key)
      UNION ALL
      SELECT i FROM generate_series(1, v_items) i WHERE p_keys[i] IS NULL
    ) fresh;

    -- What was not claimed was there before (a claim waits for a transaction that holds the same key).
    RETURN QUERY
      SELECT i, CASE WHEN k.digest = p_digests[i] THEN 'replayed' ELSE 'mismatch' END, k.incarnation, k.first, k.count, k.time
      FROM generate_series(1, v_items) i
      JOIN sluice.idempotency k ON k.scope = p_scopes[i] AND k.key = p_keys[i]
      WHERE i <> ALL (coalesce(v_fresh, '{}'));
  END IF;

  FOR v_group IN
    SELECT p_topics[i] AS name, array_agg(i ORDER BY i) AS items, sum(p_counts[i]) AS events,
           string_agg(p_bodies[i], E'\n' ORDER BY i) AS bodies
    FROM unnest(v_fresh) i GROUP BY 1 ORDER BY p_topics[min(i)] COLLATE "C"
  LOOP
    -- The line breaks between bodies are not theirs.
    v_bytes := octet_length(v_group.bodies) - (v_group.events - 1);
    UPDATE sluice.topics t
    SET latest = t.latest + v_group.events, bytes = t.bytes + v_bytes, updated = greatest(t.updated, v_now)
    WHERE name = v_group.name
    RETURNING id, latest, incarnation, updated INTO v_topic;
    -- Only for a new topic, since an attempt to insert takes an id, whether it succeeds or not.
    IF NOT FOUND THEN
      INSERT INTO sluice.topics AS t (name, latest, bytes, updated)
      VALUES (v_group.name, v_group.events, v_bytes, v_now)
      ON CONFLICT (name) DO UPDATE
        SET latest = t.latest + excluded.latest, bytes = t.bytes + excluded.bytes, updated = greatest(t.updated, excluded.updated)
      RETURNING id, latest, incarnation, updated INTO v_topic;
    END IF;

    INSERT INTO sluice.batches (topic_id, last, first, time, bytes, bodies)
    VALUES (v_topic.id, v_topic.latest, v_topic.latest - v_group.events + 1, v_topic.updated, v_bytes, v_group.bodies);

    v_first := v_topic.latest - v_group.events + 1;
    FOREACH v_item IN ARRAY v_group.items LOOP
      IF p_keys[v_item] IS NOT NULL THEN
        UPDATE sluice.idempotency k
        SET incarnation = v_topic.incarnation, first = v_first, time = v_topic.updated
        WHERE k.scope = p_scopes[v_item] AND k.key = p_keys[v_item];
      END IF;
      item := v_item;
      outcome := 'appended';
      topic_incarnation := v_topic.incarnation;
      first_seq := v_first;
      event_count := p_counts[v_item];
      event_time := v_topic.updated;
      RETURN NEXT;
      v_first := v_first + p_counts[v_item];
    END LOOP;
  END LOOP;
END
$$;
