CREATE TABLE "sluice"."captures" (
	"id" integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "sluice"."captures_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 2147483647 START WITH 1 CACHE 1),
	"relation" "regclass" NOT NULL,
	"key" text[] NOT NULL,
	CONSTRAINT "captures_relation_unique" UNIQUE("relation")
);
--> statement-breakpoint
CREATE TABLE "sluice"."changes" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "sluice"."changes_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"xact" "xid8" DEFAULT pg_current_xact_id() NOT NULL,
	"capture" integer NOT NULL,
	"operation" "char" NOT NULL,
	"old" jsonb,
	"new" jsonb,
	"actor" text,
	"mutation" text
);
--> statement-breakpoint
CREATE TABLE "sluice"."relay" (
	"id" integer PRIMARY KEY DEFAULT 1 NOT NULL,
	"holder" text,
	"epoch" bigint DEFAULT 0 NOT NULL,
	"until" timestamp with time zone DEFAULT '-infinity' NOT NULL,
	"asleep" boolean DEFAULT true NOT NULL,
	CONSTRAINT "relay_one_row" CHECK ("sluice"."relay"."id" = 1)
);
--> statement-breakpoint
CREATE TABLE "sluice"."writes" (
	"scope" text NOT NULL,
	"key" text NOT NULL,
	"digest" text NOT NULL,
	"status" integer NOT NULL,
	"headers" text NOT NULL,
	"body" text NOT NULL,
	"time" bigint NOT NULL,
	CONSTRAINT "writes_scope_key_pk" PRIMARY KEY("scope","key")
);
--> statement-breakpoint
CREATE INDEX "writes_time" ON "sluice"."writes" USING btree ("time");
--> statement-breakpoint
INSERT INTO "sluice"."relay" DEFAULT VALUES;
--> statement-breakpoint
-- The relay's row changes with every batch that is moved: its dead versions go early, so that reading it stays one page.
ALTER TABLE "sluice"."relay" SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
--> statement-breakpoint
-- The outbox is written once, read once and emptied: its rows are not worth compressing, and what is dead goes early.
ALTER TABLE "sluice"."changes" ALTER COLUMN "old" SET STORAGE EXTERNAL, ALTER COLUMN "new" SET STORAGE EXTERNAL;
--> statement-breakpoint
ALTER TABLE "sluice"."changes" SET (
  autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000, autovacuum_vacuum_insert_scale_factor = 0,
  autovacuum_vacuum_insert_threshold = 100000
);
--> statement-breakpoint
-- Before an update: every change of a row takes its version one further, and an update that changes nothing leaves it alone.
-- The comparison is by the stored bytes, which every type has.
--
-- Generated columns are not yet computed here and read as null, so where a table has some (the trigger then has an argument),
-- they are looked up, by name as they are called now, and left out of the comparison.
CREATE FUNCTION "sluice"."next_version"() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  v_uncomputed jsonb;
BEGIN
  IF TG_NARGS > 0 AND NEW OPERATOR(pg_catalog.*<>) OLD THEN
    SELECT pg_catalog.jsonb_object_agg(a.attname, NULL) INTO v_uncomputed
    FROM pg_catalog.pg_attribute a WHERE a.attrelid = TG_RELID AND a.attgenerated <> '' AND NOT a.attisdropped;
    IF v_uncomputed IS NOT NULL THEN
      BEGIN
        IF NEW OPERATOR(pg_catalog.*=) pg_catalog.jsonb_populate_record(OLD, v_uncomputed) THEN
          RETURN NEW;
        END IF;
      EXCEPTION WHEN OTHERS THEN
        -- A domain that allows no null. The update counts as a change, which at worst it is not.
      END;
    END IF;
  END IF;
  -- One expression, since each costs its preparation in every transaction.
  NEW.version := OLD.version + (NEW OPERATOR(pg_catalog.*<>) OLD)::integer;
  RETURN NEW;
END
$$;
--> statement-breakpoint
-- The image of a row that is large or that jsonb cannot hold: its key, its version, and a mark. Its columns are named as they
-- are now: those of the capture's key that still have their name, and the primary key.
CREATE FUNCTION "sluice"."key_image"(p_capture integer, p_relation oid, p_row record) RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_columns text;
  v_image jsonb;
BEGIN
  SELECT string_agg(format('($1).%I', a.attname), ', ' ORDER BY a.attnum) INTO v_columns
  FROM pg_attribute a
  WHERE a.attrelid = p_relation AND a.attnum > 0 AND NOT a.attisdropped AND (
    a.attname = 'version'
    OR a.attname IN (SELECT unnest(c.key) FROM sluice.captures c WHERE c.id = p_capture)
    OR a.attnum IN (SELECT unnest(i.indkey) FROM pg_index i WHERE i.indrelid = p_relation AND i.indisprimary)
  );
  EXECUTE format('SELECT to_jsonb(k) FROM (SELECT %s) k', v_columns) INTO v_image USING p_row;
  RETURN v_image || '{"$large": true}';
END
$$;
--> statement-breakpoint
-- A row as JSON: whole where its text has at most 1 MiB, and otherwise its key image. Fails only where a key fits nowhere.
CREATE FUNCTION "sluice"."row_image"(p_capture integer, p_relation oid, p_row record) RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_image jsonb;
BEGIN
  BEGIN
    v_image := to_jsonb(p_row);
    IF octet_length(v_image::text) <= 1048576 THEN
      RETURN v_image;
    END IF;
  EXCEPTION WHEN OTHERS THEN
    -- Beyond the limits of jsonb, or JSON that jsonb cannot hold (\u0000).
  END;
  RETURN sluice.key_image(p_capture, p_relation, p_row);
END
$$;
--> statement-breakpoint
-- After a row was written: puts the change into the outbox. The argument of the trigger is the id of the capture, since tables
-- can be renamed. The settings make an image the same whatever the writer's session has set; the writer needs no right here.
--
-- Then it wakes the relay where that sleeps: once a transaction, because NOTIFY makes commits wait for each other. It looks once a
-- statement, and remembers both in the setting `sluice.hint` until the transaction ends. A session that sets it to 'sent' never
-- notifies, as a prepared transaction may not: its changes are then found by the relay's own looking around.
--
-- A single-row write pays for every expression here once, so there are as few as can be: an image of no row is null by itself.
CREATE FUNCTION "sluice"."capture_row"() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET "TimeZone" = 'UTC' SET "DateStyle" = 'ISO' SET "IntervalStyle" = 'iso_8601' SET extra_float_digits = 1 SET bytea_output = 'hex'
AS $$
DECLARE
  v_old jsonb;
  v_new jsonb;
  v_whole boolean;
BEGIN
  IF TG_OP = 'UPDATE' AND NEW *= OLD THEN
    RETURN NULL;
  END IF;
  BEGIN
    v_old := to_jsonb(OLD);
    v_new := to_jsonb(NEW);
    v_whole := greatest(octet_length(v_old::text), octet_length(v_new::text)) <= 1048576;
  EXCEPTION WHEN OTHERS THEN
    v_whole := false;
  END;
  IF NOT v_whole THEN
    v_old := CASE WHEN TG_OP <> 'INSERT' THEN sluice.row_image(TG_ARGV[0]::integer, TG_RELID, OLD) END;
    v_new := CASE WHEN TG_OP <> 'DELETE' THEN sluice.row_image(TG_ARGV[0]::integer, TG_RELID, NEW) END;
  END IF;
  INSERT INTO sluice.changes (capture, operation, old, new, actor, mutation) VALUES (
    TG_ARGV[0]::integer, TG_OP::"char", v_old, v_new,
    nullif(current_setting('sluice.actor', true), ''), nullif(current_setting('sluice.mutation', true), '')
  );
  IF (current_setting('sluice.hint', true) IN ('sent', statement_timestamp()::text)) IS NOT TRUE THEN
    PERFORM set_config('sluice.hint', CASE WHEN r.asleep THEN 'sent' ELSE statement_timestamp()::text END, true),
      CASE WHEN r.asleep THEN pg_notify('sluice_capture', '')::text END
    FROM sluice.relay r;
  END IF;
  RETURN NULL;
END
$$;
--> statement-breakpoint
-- Before a truncation: puts a delete into the outbox for each row that is about to go. Truncating a partitioned table fires this
-- for every partition that has the trigger, each for its own rows; a partition that was attached later and lacks it is read by
-- the nearest one above that has it.
--
-- A truncation takes away what its snapshot may not see, so beyond READ COMMITTED it would take away rows that nobody is told of:
-- that is refused. So is one of rows that the owner of this function may not see (row_security = off), for the same reason.
CREATE FUNCTION "sluice"."capture_truncate"() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET row_security = off
SET "TimeZone" = 'UTC' SET "DateStyle" = 'ISO' SET "IntervalStyle" = 'iso_8601' SET extra_float_digits = 1 SET bytea_output = 'hex'
AS $$
DECLARE
  v_capture integer := TG_ARGV[0]::integer;
  v_relation regclass;
BEGIN
  -- A partition that was detached keeps this trigger, but its rows are no longer the capture's.
  IF NOT EXISTS (
    SELECT FROM sluice.captures c WHERE c.id = v_capture
    AND (c.relation = TG_RELID OR c.relation IN (SELECT relid FROM pg_partition_ancestors(TG_RELID)))
  ) THEN
    RETURN NULL;
  END IF;
  IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
    RAISE EXCEPTION 'a captured table cannot be truncated in a % transaction', upper(current_setting('transaction_isolation'))
      USING ERRCODE = 'feature_not_supported', HINT = 'Truncate it in a READ COMMITTED transaction, or delete its rows.';
  END IF;
  FOR v_relation IN
    WITH RECURSIVE below AS (
      SELECT TG_RELID AS relation
      UNION ALL
      SELECT i.inhrelid FROM below b
      JOIN pg_inherits i ON i.inhparent = b.relation
      JOIN pg_class c ON c.oid = i.inhrelid AND c.relispartition
      WHERE NOT EXISTS (
        SELECT FROM pg_trigger t
        WHERE t.tgrelid = i.inhrelid AND t.tgfoid = 'sluice.capture_truncate'::regproc AND t.tgenabled IN ('O', 'A')
      )
    )
    SELECT b.relation FROM below b JOIN pg_class c ON c.oid = b.relation WHERE c.relkind = 'r'
  LOOP
    EXECUTE format(
      'INSERT INTO sluice.changes (capture, operation, old, actor, mutation) '
      'SELECT $1, ''D'', sluice.row_image($1, $2, t.*), $3, $4 FROM ONLY %s t', v_relation
    ) USING v_capture, v_relation::oid,
      nullif(current_setting('sluice.actor', true), ''), nullif(current_setting('sluice.mutation', true), '');
  END LOOP;
  IF current_setting('sluice.hint', true) IS DISTINCT FROM 'sent' THEN
    PERFORM set_config('sluice.hint', CASE WHEN r.asleep THEN 'sent' ELSE statement_timestamp()::text END, true),
      CASE WHEN r.asleep THEN pg_notify('sluice_capture', '')::text END
    FROM sluice.relay r;
  END IF;
  RETURN NULL;
END
$$;
--> statement-breakpoint
-- Whoever may make triggers of these could write changes of tables that are not theirs. Firing one needs no right.
REVOKE ALL ON FUNCTION "sluice"."next_version"(), "sluice"."key_image"(integer, oid, record),
  "sluice"."row_image"(integer, oid, record), "sluice"."capture_row"(), "sluice"."capture_truncate"() FROM PUBLIC;