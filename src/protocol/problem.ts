/** Errors on the wire: RFC 9457 problem details with a stable `code` (protocol section 7). */

/** Every code there is, with its status and title. The one list that server and client share. */
export const PROBLEMS = {
  malformed: { status: 400, title: 'The request could not be read' },
  invalid: { status: 400, title: 'The request is not valid' },
  'invalid-topic': { status: 400, title: 'The topic name is not valid' },
  'invalid-cursor': { status: 400, title: 'The cursor is not valid' },
  'invalid-filter': { status: 400, title: 'The filter is not valid' },
  check: { status: 400, title: 'A constraint of the database does not allow this' },
  'not-null': { status: 400, title: 'A field that must have a value has none' },
  'too-many-topics': { status: 400, title: 'Too many topics on one stream' },
  'token-required': { status: 401, title: 'A token is required' },
  'token-invalid': { status: 401, title: 'The token is not valid' },
  'token-expired': { status: 401, title: 'The token has expired' },
  'token-in-url': { status: 401, title: 'A token cannot be sent in a URL' },
  forbidden: { status: 403, title: 'Not allowed' },
  'not-found': { status: 404, title: 'Not found' },
  'method-not-allowed': { status: 405, title: 'Method not allowed' },
  'not-acceptable': { status: 406, title: 'No such representation' },
  'request-timeout': { status: 408, title: 'The request took too long' },
  conflict: { status: 409, title: 'Conflict' },
  unique: { status: 409, title: 'Another record has this value' },
  'foreign-key': { status: 409, title: 'A reference between records does not hold' },
  exclusion: { status: 409, title: 'Another record excludes this one' },
  gone: { status: 410, title: 'No longer available' },
  'precondition-failed': { status: 412, title: 'Precondition failed' },
  'too-large': { status: 413, title: 'The content is too large' },
  'unsupported-media-type': { status: 415, title: 'Unsupported media type' },
  'idempotency-mismatch': { status: 422, title: 'The idempotency key was used with another request' },
  'precondition-required': { status: 428, title: 'Precondition required' },
  'rate-limited': { status: 429, title: 'Too many requests' },
  'too-many-streams': { status: 429, title: 'Too many open streams' },
  'too-many-members': { status: 429, title: 'Too many members at the topic' },
  internal: { status: 500, title: 'Something went wrong' },
  unavailable: { status: 503, title: 'Temporarily unavailable' },
  draining: { status: 503, title: 'The server is shutting down' },
} as const satisfies Record<string, { readonly status: number; readonly title: string }>;

export type ProblemCode = keyof typeof PROBLEMS;

/** The media type of every error answer. */
export const PROBLEM_TYPE = 'application/problem+json';

/** One thing that was wrong with the input: where (a dotted path, `''` for the whole) and what. */
export interface ProblemIssue {
  readonly path: string;
  readonly message: string;
}

/** A problem as it stands on the wire. `type` names the code as a URN; it leads nowhere. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: ProblemCode;
  readonly detail?: string;
  readonly errors?: readonly ProblemIssue[];
}

/** Builds the problem document of a code. `detail` is for the caller to read: never internal text. */
export function problem(code: ProblemCode, detail?: string, errors?: readonly ProblemIssue[]): Problem {
  const { status, title } = PROBLEMS[code];
  return {
    type: `urn:sluice:problem:${code}`,
    title,
    status,
    code,
    ...(detail !== undefined && { detail }),
    ...(errors !== undefined && { errors }),
  };
}
