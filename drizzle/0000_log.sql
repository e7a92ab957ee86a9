CREATE SCHEMA IF NOT EXISTS "sluice";
--> statement-breakpoint
CREATE TABLE "sluice"."batches" (
	"topic_id" integer NOT NULL,
	"last" bigint NOT NULL,
	"first" bigint NOT NULL,
	"time" bigint NOT NULL,
	"bytes" integer NOT NULL,
	"bodies" text NOT NULL,
	CONSTRAINT "batches_topic_id_last_pk" PRIMARY KEY("topic_id","last")
);
--> statement-breakpoint
CREATE TABLE "sluice"."idempotency" (
	"scope" text NOT NULL,
	"key" text NOT NULL,
	"digest" text NOT NULL,
	"topic" text NOT NULL,
	"incarnation" integer DEFAULT 0 NOT NULL,
	"first" bigint DEFAULT 0 NOT NULL,
	"count" integer NOT NULL,
	"time" bigint NOT NULL,
	CONSTRAINT "idempotency_scope_key_pk" PRIMARY KEY("scope","key")
);
--> statement-breakpoint
CREATE TABLE "sluice"."meta" (
	"name" text PRIMARY KEY NOT NULL,
	"value" text NOT NULL
);
--> statement-breakpoint
CREATE TABLE "sluice"."revocations" (
	"position" bigserial PRIMARY KEY NOT NULL,
	"kind" text NOT NULL,
	"value" text NOT NULL,
	"at" bigint NOT NULL
);
--> statement-breakpoint
CREATE TABLE "sluice"."topics" (
	"id" integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "sluice"."topics_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 2147483647 START WITH 1 CACHE 1),
	"name" text NOT NULL,
	"incarnation" integer DEFAULT 0 NOT NULL,
	"latest" bigint DEFAULT 0 NOT NULL,
	"oldest" bigint DEFAULT 1 NOT NULL,
	"bytes" bigint DEFAULT 0 NOT NULL,
	"updated" bigint DEFAULT 0 NOT NULL,
	CONSTRAINT "topics_name_unique" UNIQUE("name")
);
--> statement-breakpoint
CREATE INDEX "batches_time" ON "sluice"."batches" USING btree ("topic_id","time");--> statement-breakpoint
CREATE INDEX "idempotency_time" ON "sluice"."idempotency" USING btree ("time");