/** The refusals that several kinds of credential share. */
import type { Authentication } from './principal.ts';

export const INVALID: Authentication = { ok: false, code: 'token-invalid' };
export const EXPIRED: Authentication = { ok: false, code: 'token-expired' };
