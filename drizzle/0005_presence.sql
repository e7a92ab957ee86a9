CREATE SEQUENCE "sluice"."presence_revisions" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1;--> statement-breakpoint
CREATE TABLE "sluice"."presence_changes" (
	"topic" text COLLATE "C" NOT NULL,
	"revision" bigint NOT NULL,
	"change" text NOT NULL,
	"member" text COLLATE "C" NOT NULL,
	"state" text,
	"since" bigint NOT NULL,
	"time" bigint NOT NULL,
	CONSTRAINT "presence_changes_topic_revision_pk" PRIMARY KEY("topic","revision")
);
--> statement-breakpoint
CREATE TABLE "sluice"."presence_leases" (
	"topic" text COLLATE "C" NOT NULL,
	"member" text COLLATE "C" NOT NULL,
	"owner" text NOT NULL,
	"state" text NOT NULL,
	"stream" text,
	"ttl" integer NOT NULL,
	"since" bigint NOT NULL,
	"seen" bigint NOT NULL,
	"expires" bigint NOT NULL,
	CONSTRAINT "presence_leases_topic_member_pk" PRIMARY KEY("topic","member")
);
--> statement-breakpoint
CREATE TABLE "sluice"."presence_topics" (
	"topic" text COLLATE "C" PRIMARY KEY NOT NULL,
	"revision" bigint NOT NULL,
	"floor" bigint NOT NULL,
	"members" integer DEFAULT 0 NOT NULL
);
--> statement-breakpoint
CREATE INDEX "presence_changes_time" ON "sluice"."presence_changes" USING btree ("time");--> statement-breakpoint
CREATE INDEX "presence_leases_expires" ON "sluice"."presence_leases" USING btree ("expires");--> statement-breakpoint
CREATE INDEX "presence_leases_stream" ON "sluice"."presence_leases" USING btree ("stream") WHERE "stream" IS NOT NULL;--> statement-breakpoint
-- Leases are renewed again and again, and a topic's row changes with its members: what is dead goes early.
ALTER TABLE "sluice"."presence_topics" SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
--> statement-breakpoint
ALTER TABLE "sluice"."presence_leases" SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
--> statement-breakpoint
-- Locks are taken in one order by everybody: topics by name, and after each its leases by member. Who renews leases locks no topic, and
-- takes the leases in the same order. Who ends what has expired passes over leases that somebody holds: those are being renewed.
--
-- Ends the leases of a topic that have expired by p_now. For whoever holds the topic's lock, and writes the topic's row afterwards.
CREATE FUNCTION "sluice"."end_leases"(p_topic text, p_now bigint, OUT ended integer, OUT last bigint)
LANGUAGE sql AS $$
  WITH due AS (
    SELECT l.member FROM sluice.presence_leases l WHERE l.topic = p_topic AND l.expires <= p_now
    ORDER BY l.member FOR UPDATE SKIP LOCKED
  ), gone AS (
    DELETE FROM sluice.presence_leases l USING due d WHERE l.topic = p_topic AND l.member = d.member
    RETURNING l.member, l.since, l.expires
  ), told AS (
    INSERT INTO sluice.presence_changes (topic, revision, change, member, since, time)
    SELECT p_topic, nextval('sluice.presence_revisions'), 'leave', g.member, g.since, p_now
    FROM (SELECT * FROM gone ORDER BY gone.expires, gone.member) g
    RETURNING revision
  )
  SELECT count(*)::integer, max(told.revision) FROM told
$$;
--> statement-breakpoint
-- Ends leases that have expired: those of the topics to which the first p_most of them belong. Answers with those topics.
CREATE FUNCTION "sluice"."sweep_presence"(p_most integer) RETURNS TABLE (swept_topic text, swept_revision bigint)
LANGUAGE plpgsql AS $$
DECLARE
  v_now bigint := floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint;
  v_topic text;
  v_ended record;
BEGIN
  FOR v_topic IN
    SELECT DISTINCT due.topic FROM (
      SELECT l.topic FROM sluice.presence_leases l WHERE l.expires <= v_now ORDER BY l.expires LIMIT p_most
    ) due ORDER BY due.topic
  LOOP
    PERFORM 1 FROM sluice.presence_topics t WHERE t.topic = v_topic FOR UPDATE;
    SELECT * INTO v_ended FROM sluice.end_leases(v_topic, v_now);
    IF v_ended.ended > 0 THEN
      UPDATE sluice.presence_topics t SET revision = v_ended.last, members = t.members - v_ended.ended WHERE t.topic = v_topic;
      swept_topic := v_topic;
      swept_revision := v_ended.last;
      RETURN NEXT;
    END IF;
  END LOOP;
END
$$;
--> statement-breakpoint
-- Joins and leaves, no two of the same member: an array of {item, kind, topic, member, owner, state, ttl, initial, stream, most}. What
-- is null stays as it was; initial is the ttl of a new lease without one. An owner that is null is anybody. A lease that has expired
-- counts as none, and is told to have ended.
CREATE FUNCTION "sluice"."write_presence"(p_writes jsonb) RETURNS TABLE (
  write_item integer, outcome text, change_revision bigint, lease_state text, lease_since bigint, lease_seen bigint, lease_expires bigint
)
LANGUAGE plpgsql AS $$
DECLARE
  v_now bigint;
  v_write record;
  v_topic text;
  v_members integer;
  v_revision bigint;
  v_lease sluice.presence_leases%ROWTYPE;
  v_there boolean;
  v_change text;
  v_ended record;
BEGIN
  FOR v_write IN
    SELECT * FROM jsonb_to_recordset(p_writes) AS w (
      item integer, kind text, topic text, member text, owner text, state text, ttl integer, initial integer, stream text, most integer
    ) ORDER BY w.topic COLLATE "C", w.member COLLATE "C"
  LOOP
    IF v_topic IS DISTINCT FROM v_write.topic THEN
      IF v_revision IS NOT NULL THEN
        UPDATE sluice.presence_topics t SET revision = v_revision, members = v_members WHERE t.topic = v_topic;
      END IF;
      v_topic := v_write.topic;
      v_revision := NULL;
      SELECT t.members INTO v_members FROM sluice.presence_topics t WHERE t.topic = v_topic FOR UPDATE;
      IF NOT FOUND THEN
        -- What is begun anew goes on above what it was: who knew it before sees that it is another.
        INSERT INTO sluice.presence_topics AS t (topic, revision, floor)
        SELECT v_topic, r, r FROM nextval('sluice.presence_revisions') r
        ON CONFLICT (topic) DO UPDATE SET members = t.members
        RETURNING members INTO v_members;
      END IF;
      -- Not before the lock is held: what was renewed while this waited has not ended.
      v_now := floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint;
    END IF;
    write_item := v_write.item;
    change_revision := NULL;
    v_change := NULL;

    SELECT * INTO v_lease FROM sluice.presence_leases l
    WHERE l.topic = v_topic AND l.member = v_write.member FOR UPDATE;
    v_there := FOUND;
    IF v_there AND v_lease.expires <= v_now THEN
      DELETE FROM sluice.presence_leases l WHERE l.topic = v_topic AND l.member = v_write.member;
      INSERT INTO sluice.presence_changes (topic, revision, change, member, since, time)
      VALUES (v_topic, nextval('sluice.presence_revisions'), 'leave', v_write.member, v_lease.since, v_now)
      RETURNING revision INTO v_revision;
      change_revision := v_revision;
      v_members := v_members - 1;
      v_there := false;
    END IF;

    IF v_there AND v_lease.owner <> v_write.owner THEN
      outcome := 'taken';
      RETURN NEXT;
      CONTINUE;
    END IF;

    IF v_write.kind = 'leave' THEN
      IF v_there THEN
        DELETE FROM sluice.presence_leases l WHERE l.topic = v_topic AND l.member = v_write.member;
        INSERT INTO sluice.presence_changes (topic, revision, change, member, since, time)
        VALUES (v_topic, nextval('sluice.presence_revisions'), 'leave', v_write.member, v_lease.since, v_now)
        RETURNING revision INTO v_revision;
        change_revision := v_revision;
        v_members := v_members - 1;
      END IF;
      outcome := CASE WHEN v_there THEN 'left' ELSE 'absent' END;
      RETURN NEXT;
      CONTINUE;
    END IF;

    IF NOT v_there THEN
      IF v_members >= v_write.most THEN
        -- Leases that have ended make room.
        SELECT * INTO v_ended FROM sluice.end_leases(v_topic, v_now);
        v_members := v_members - v_ended.ended;
        v_revision := coalesce(v_ended.last, v_revision);
      END IF;
      IF v_members >= v_write.most THEN
        outcome := 'full';
        RETURN NEXT;
        CONTINUE;
      END IF;
      v_lease.state := coalesce(v_write.state, 'null');
      v_lease.ttl := coalesce(v_write.ttl, v_write.initial);
      v_lease.stream := v_write.stream;
      v_lease.since := v_now;
      v_members := v_members + 1;
      v_change := 'join';
    ELSE
      IF v_write.state <> v_lease.state THEN
        v_lease.state := v_write.state;
        v_change := 'update';
      END IF;
      v_lease.ttl := coalesce(v_write.ttl, v_lease.ttl);
      v_lease.stream := coalesce(v_write.stream, v_lease.stream);
    END IF;
    v_lease.expires := v_now + v_lease.ttl;
    INSERT INTO sluice.presence_leases AS l (topic, member, owner, state, stream, ttl, since, seen, expires)
    VALUES (v_topic, v_write.member, v_write.owner, v_lease.state, v_lease.stream, v_lease.ttl, v_lease.since, v_now, v_lease.expires)
    ON CONFLICT (topic, member) DO UPDATE
    SET state = excluded.state, stream = excluded.stream, ttl = excluded.ttl, seen = excluded.seen, expires = excluded.expires;
    IF v_change IS NOT NULL THEN
      INSERT INTO sluice.presence_changes (topic, revision, change, member, state, since, time)
      VALUES (v_topic, nextval('sluice.presence_revisions'), v_change, v_write.member, v_lease.state, v_lease.since, v_now)
      RETURNING revision INTO v_revision;
      change_revision := v_revision;
    END IF;
    outcome := 'joined';
    lease_state := v_lease.state;
    lease_since := v_lease.since;
    lease_seen := v_now;
    lease_expires := v_lease.expires;
    RETURN NEXT;
  END LOOP;
  IF v_revision IS NOT NULL THEN
    UPDATE sluice.presence_topics t SET revision = v_revision, members = v_members WHERE t.topic = v_topic;
  END IF;
END
$$;
