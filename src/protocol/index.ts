/** The wire, shared by server and client. */
export type { CloseReason, Control, ControlData, ControlName, Gap, GapReason } from './control.ts';
export { encodeControlJson, encodeControlSse } from './control.ts';
export type { Cursor } from './cursor.ts';
export { formatCompoundCursor, formatCursor, parseCompoundCursor, parseCursor, positionsOf } from './cursor.ts';
export type { Event, EventInput, Json } from './event.ts';
export type { Filter, FilterOperator } from './filter.ts';
export { compileFilters, formatFilter, parseFilter } from './filter.ts';
export type { Action, Grants, GrantsClaim } from './grants.ts';
export type { Limits } from './limits.ts';
export { DEFAULT_LIMITS } from './limits.ts';
export { createLineSplitter, encodeNdjsonLine } from './ndjson.ts';
export type { Problem, ProblemCode, ProblemIssue } from './problem.ts';
export { PROBLEM_TYPE, PROBLEMS } from './problem.ts';
export type { SseBlock } from './sse.ts';
export { createSseParser, encodeSse } from './sse.ts';
export { isTopic, isTopicPattern } from './topic.ts';
