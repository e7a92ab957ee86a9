/** What stands in the way of a capture, or is wrong with one: a code for programs, words for people, and what to do about it. */

export type FindingCode =
  /** There is no table of that name. */
  | 'no-table'
  /** It is something else than an ordinary or partitioned table, or one whose changes cannot be followed. */
  | 'not-capturable'
  | 'not-owner'
  /** The column `version` is missing, or is not an integer, not null, with a default. */
  | 'version'
  /** Nothing tells one row from another. */
  | 'key'
  /** Tables that inherit from it hold rows of it that triggers here never see. */
  | 'inheritance'
  /** It is a partition of a captured table, or one of its partitions is captured by itself. */
  | 'captured-twice'
  /** Somebody else holds the table, and went on holding it. */
  | 'busy'
  | 'not-captured'
  /** The table was dropped. */
  | 'dropped'
  /** A trigger is missing, switched off or another than it should be. */
  | 'trigger'
  /** Row security binds the owner too: a truncation would be refused. */
  | 'forced-row-security';

export interface Finding {
  readonly code: FindingCode;
  /** A `fault` loses changes, or prevents the capture; with a `warning` all is captured. */
  readonly severity: 'fault' | 'warning';
  /** One sentence. */
  readonly message: string;
  /** The statement or command to run, or a sentence where there is none. */
  readonly remedy: string;
}

export function fault(code: FindingCode, message: string, remedy: string): Finding {
  return { code, severity: 'fault', message, remedy };
}

export function warning(code: FindingCode, message: string, remedy: string): Finding {
  return { code, severity: 'warning', message, remedy };
}
