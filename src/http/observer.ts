/** What the app tells of its work, so that whoever composes it can count. Every call is on a hot path: add and return. */
import type { BrokerObserver } from '../broker/local-broker.ts';
import type { CloseReason } from '../protocol/control.ts';

export interface RealtimeObserver extends Omit<BrokerObserver, 'onFault'> {
  /** Events written to one stream. */
  readonly onDelivery?: (events: number, bytes: number) => void;
  readonly onClose?: (reason: CloseReason | 'gone') => void;
  readonly onPruned?: (events: number) => void;
  readonly onResponse?: (status: number) => void;
}
