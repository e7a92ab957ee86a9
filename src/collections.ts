/** Collections: tables of a database as live resources (`sluice/collections`). */
export { type AddCaptureOptions, type AddCaptureResult, addCapture } from './capture/add-capture.ts';
export { type ListedCapture, listCaptures } from './capture/list-captures.ts';
export { type RemoveCaptureResult, removeCapture } from './capture/remove-capture.ts';
export { type VerifiedCapture, verifyCapture, verifyCaptures } from './capture/verify-capture.ts';
export { liveCollections, NotCaptured, type OpenCollections, RowSecurityLacks } from './http/live-collections.ts';
export { DefinitionMismatch } from './records/check-definition.ts';
export { type Collection, type CollectionOptions, collection } from './records/collection.ts';
export { installRowSecurity, type RowSecurityInstall } from './records/install-row-security.ts';
export {
  type Caller,
  type Claims,
  type Dependency,
  everyRow,
  type RlsOptions,
  rls,
  scope,
  type Visibility,
} from './records/visibility.ts';
export type { InsertOf, PatchOf, RecordOf } from './records/wire-types.ts';
