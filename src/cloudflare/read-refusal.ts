/** Why something cannot be read, on its way from an object to a Worker. */
import { ViewTooLarge } from '../records/view-too-large.ts';
import { StoreUnavailable } from '../store/store.ts';
import type { ReadRefusal } from './topic-frames.ts';

/** The filter of a reader does not fit the collection. */
export class FilterMisfit extends Error {
  override readonly name = 'FilterMisfit';
  readonly field: string;

  constructor(field: string) {
    super(`${field} cannot be filtered by`);
    this.field = field;
  }
}

/** What is asked for is not served for now, until an operator has done something. */
export class NotServed extends StoreUnavailable {
  constructor(topic: string) {
    super(`${topic} is not served for now`);
  }
}

export function refusalOf(error: unknown): ReadRefusal {
  if (error instanceof FilterMisfit) return { kind: 'invalid-filter', field: error.field };
  if (error instanceof ViewTooLarge) return { kind: 'view-too-large' };
  if (error instanceof NotServed) return { kind: 'not-served' };
  if (!(error instanceof StoreUnavailable)) console.error(error);
  return { kind: 'unavailable' };
}

/** @param topic what was asked for */
export function errorOf(refusal: ReadRefusal, topic: string): Error {
  switch (refusal.kind) {
    case 'invalid-filter':
      return new FilterMisfit(refusal.field);
    case 'view-too-large':
      return new ViewTooLarge('the view is too large');
    case 'not-served':
      return new NotServed(topic);
    default:
      // Of another deployment, it may be of a kind that is not known here.
      return new StoreUnavailable('the object cannot let it be read now');
  }
}
