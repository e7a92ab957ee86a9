CREATE TABLE "sluice"."collections" (
	"name" text PRIMARY KEY NOT NULL,
	"capture" integer NOT NULL,
	"since" timestamp with time zone NOT NULL
);
--> statement-breakpoint
ALTER TABLE "sluice"."captures" ADD COLUMN "since" timestamp with time zone DEFAULT now() NOT NULL;--> statement-breakpoint
ALTER TABLE "sluice"."writes" DROP COLUMN "status";--> statement-breakpoint
ALTER TABLE "sluice"."writes" DROP COLUMN "headers";--> statement-breakpoint
-- A row as JSON: whole where its text has at most 1 MiB. Otherwise without its largest columns, as many as are needed, but none of the
-- key and none below 8 KiB: so a text that is shorter than that is never left out. What is left out is named under "$large", each
-- with a digest, which tells whether an update changed it. Rows that jsonb cannot hold have their key and version only, and
-- `"$large": true`. Fails only where a key fits nowhere.
CREATE OR REPLACE FUNCTION "sluice"."row_image"(p_capture integer, p_relation oid, p_row record) RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_image jsonb;
  v_large jsonb;
BEGIN
  BEGIN
    v_image := to_jsonb(p_row);
    IF octet_length(v_image::text) <= 1048576 THEN
      RETURN v_image;
    END IF;
    SELECT jsonb_object_agg(l.key, encode(sha256(convert_to(l.text, 'UTF8')), 'hex')) INTO v_large FROM (
      SELECT e.key, e.text, octet_length(e.text) AS bytes,
        sum(octet_length(e.text) + octet_length(e.key) + 6) OVER (ORDER BY octet_length(e.text), e.key) AS kept
      FROM jsonb_each(v_image) f CROSS JOIN LATERAL (SELECT f.key, f.value::text AS text) e
      WHERE e.key <> 'version' AND e.key NOT IN (SELECT jsonb_object_keys(sluice.key_image(p_capture, p_relation, p_row)))
    ) l WHERE l.bytes >= 8192 AND l.kept > 1040384;
    RETURN CASE WHEN v_large IS NULL THEN v_image
      ELSE v_image - ARRAY(SELECT jsonb_object_keys(v_large)) || jsonb_build_object('$large', v_large) END;
  EXCEPTION WHEN OTHERS THEN
    -- Beyond the limits of jsonb, or JSON that jsonb cannot hold (\u0000).
  END;
  RETURN sluice.key_image(p_capture, p_relation, p_row);
END
$$;
--> statement-breakpoint
-- The image of a row that jsonb cannot hold: its key, its version, and a mark. Its columns are named as they are now: those of the
-- capture's key that still have their name, and the primary key.
CREATE OR REPLACE FUNCTION "sluice"."key_image"(p_capture integer, p_relation oid, p_row record) RETURNS jsonb
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
  -- `k.*` and not `k`, which could be a column.
  EXECUTE format('SELECT to_jsonb(k.*) FROM (SELECT %s) k', v_columns) INTO v_image USING p_row;
  RETURN v_image || '{"$large": true}';
END
$$;
