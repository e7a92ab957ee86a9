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

export function refusalOf(error: unknown): ReadRefusal {
  if (error instanceof FilterMisfit) return { kind: 'invalid-filter', field: error.field };
  if (error instanceof ViewTooLarge) return { kind: 'view-too-large' };
  if (!(error instanceof StoreUnavailable)) console.error(error);
  return { kind: 'unavailable' };
}

export function errorOf(refusal: ReadRefusal): Error {
  switch (refusal.kind) {
    case 'invalid-filter':
      return new FilterMisfit(refusal.field);
    case 'view-too-large':
      return new ViewTooLarge('the view is too large');
    case 'unavailable':
      return new StoreUnavailable('the object cannot let it be read now');
  }
}
