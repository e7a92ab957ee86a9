/**
 * What policies of PostgREST and Supabase rely on: the roles `anon` and `authenticated`, and `auth.uid()`, `auth.role()` and
 * `auth.jwt()`, which read the claims of whoever asks from the setting `request.jwt.claims`. Where they are there already, they
 * stay as they are.
 */
import type { Database, Transaction } from '../store/postgres/database.ts';
import { sqlState } from '../store/postgres/sql-state.ts';

export type RowSecurityInstall =
  | {
      readonly ok: true;
      /** The statements that were run; empty when everything was there. */
      readonly done: readonly string[];
    }
  | {
      readonly ok: false;
      /** What is left to run, in order, by somebody who may. Nothing was changed. */
      readonly statements: readonly string[];
      /** What Postgres said. */
      readonly reason: string;
    };

const ROLES = ['anon', 'authenticated'];

// An empty setting is what a transaction leaves behind that had set it: no claims.
const CLAIMS = "nullif(pg_catalog.current_setting('request.jwt.claims', true), '')::pg_catalog.jsonb";

const FUNCTIONS: Readonly<Record<string, { readonly returns: string; readonly body: string }>> = {
  uid: { returns: 'uuid', body: `SELECT (${CLAIMS} ->> 'sub')::pg_catalog.uuid` },
  role: { returns: 'text', body: `SELECT ${CLAIMS} ->> 'role'` },
  jwt: { returns: 'jsonb', body: `SELECT ${CLAIMS}` },
};

/**
 * Brings about, in one transaction, what is missing: the roles (without login, and granted to the role that we connect as, so that it
 * can act as them), the schema `auth`, its functions, and the right of the roles to use them. Rights on tables are for whoever owns
 * the tables to give.
 *
 * @throws StoreUnavailable when the database cannot be reached
 */
export async function installRowSecurity(
  database: Pick<Database, 'query' | 'transaction'>,
): Promise<RowSecurityInstall> {
  for (let attempt = 1; ; attempt += 1) {
    const statements = await missingRowSecurity(database);
    if (statements.length === 0) return { ok: true, done: [] };
    try {
      await database.transaction(async (transaction) => {
        for (const statement of statements) await transaction.query(statement);
      });
      return { ok: true, done: statements };
    } catch (error) {
      const code = sqlState(error);
      // Somebody did the same at the same moment, here or (roles belong to the whole server) in another database: look again.
      if (ALREADY_THERE.includes(code) && attempt < ATTEMPTS) continue;
      if (!NOT_ALLOWED.includes(code)) throw error;
      return { ok: false, statements, reason: error instanceof Error ? error.message : String(error) };
    }
  }
}

/** Every attempt finds less to do than the one before, since another did a part of it. */
const ATTEMPTS = 10;
/** SQLSTATEs: unique_violation, duplicate_object, duplicate_schema, duplicate_function, and a row that two change at once. */
const ALREADY_THERE = ['23505', '42710', '42P06', '42723', 'XX000'];
/** SQLSTATEs: insufficient_privilege, and invalid_grant_operation. */
const NOT_ALLOWED = ['42501', '0LP01'];

/** The statements that {@link installRowSecurity} would run. @throws StoreUnavailable when the database cannot be reached */
export async function missingRowSecurity({ query }: Pick<Transaction, 'query'>): Promise<readonly string[]> {
  const roles = await query<{
    readonly name: string;
    readonly there: boolean;
    readonly member: boolean;
    readonly uses: boolean;
    readonly self: string;
  }>(
    `SELECT name, r.oid IS NOT NULL AS there, quote_ident(current_user) AS self,
       coalesce(pg_has_role(current_user, r.oid,
         CASE WHEN current_setting('server_version_num')::int4 < 160000 THEN 'MEMBER' ELSE 'SET' END), false) AS member,
       coalesce(has_schema_privilege(r.oid, (SELECT oid FROM pg_namespace WHERE nspname = 'auth'), 'USAGE'), false) AS uses
     FROM unnest($1::text[]) WITH ORDINALITY AS asked(name, place) LEFT JOIN pg_roles r ON r.rolname = name ORDER BY place`,
    [ROLES],
  );
  const [auth] = await query<{ readonly there: boolean; readonly functions: readonly string[] }>(
    `SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = 'auth') AS there,
       ARRAY(SELECT p.proname::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
         WHERE n.nspname = 'auth' AND p.pronargs = 0) AS functions`,
  );
  const statements: string[] = [];
  for (const { name, there, member, self } of roles) {
    if (!there) statements.push(`CREATE ROLE ${name} NOLOGIN`);
    if (!member) statements.push(`GRANT ${name} TO ${self}`);
  }
  if (!auth?.there) statements.push('CREATE SCHEMA auth');
  for (const [name, { returns, body }] of Object.entries(FUNCTIONS)) {
    if (auth?.functions.includes(name)) continue;
    statements.push(`CREATE FUNCTION auth.${name}() RETURNS ${returns} LANGUAGE sql STABLE AS $$ ${body} $$`);
  }
  const using = roles.filter(({ uses }) => !uses).map(({ name }) => name);
  if (using.length > 0) statements.push(`GRANT USAGE ON SCHEMA auth TO ${using.join(', ')}`);
  return statements;
}
