/** Defines the elements, once for a page; where there is no page, nothing. */
import { SluiceFeed } from './feed.ts';
import { SluiceStatus } from './status.ts';
import { SluiceValue } from './value.ts';

const ELEMENTS = { 'sluice-feed': SluiceFeed, 'sluice-value': SluiceValue, 'sluice-status': SluiceStatus };

for (const [name, element] of Object.entries(ELEMENTS))
  if (globalThis.customElements?.get(name) === undefined) globalThis.customElements?.define(name, element);
