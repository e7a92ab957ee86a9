/**
 * The widget: custom elements that show topics on any page. Importing this defines them.
 *
 * @example
 * ```html
 * <script type="module" src="https://live.example.com/widget.js"></script>
 * <sluice-feed topic="chat:lobby" path="text"></sluice-feed>
 * <sluice-value topic="orders:total" path="amount" format="currency:EUR">–</sluice-value>
 * <sluice-status></sluice-status>
 * ```
 */
import './define.ts';
import type { SluiceFeed } from './feed.ts';
import type { SluiceStatus } from './status.ts';
import type { SluiceValue } from './value.ts';

export { SluiceFeed } from './feed.ts';
export type { Status } from './line-state.ts';
export { SluiceStatus } from './status.ts';
export { SluiceValue } from './value.ts';

declare global {
  interface HTMLElementTagNameMap {
    'sluice-feed': SluiceFeed;
    'sluice-value': SluiceValue;
    'sluice-status': SluiceStatus;
  }
}
