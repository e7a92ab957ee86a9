CREATE TABLE "sluice"."accesses" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "sluice"."accesses_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"ref" uuid NOT NULL,
	"node" text NOT NULL,
	"kind" text NOT NULL,
	"name" text,
	"key" text,
	"sub" text,
	"role" text,
	"address" text,
	"request" text,
	"since" bigint NOT NULL,
	"until" bigint,
	"count" integer,
	CONSTRAINT "accesses_ref_unique" UNIQUE("ref")
);
--> statement-breakpoint
CREATE INDEX "accesses_name" ON "sluice"."accesses" USING btree ("name","since");--> statement-breakpoint
CREATE INDEX "accesses_sub" ON "sluice"."accesses" USING btree ("sub","since");--> statement-breakpoint
CREATE INDEX "accesses_since" ON "sluice"."accesses" USING btree ("since");