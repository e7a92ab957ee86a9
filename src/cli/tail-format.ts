/** How `tail` shows an event to people: one line, the columns being time, topic, type, key and data. */
import type { Gap } from '../protocol/control.ts';
import type { Event } from '../protocol/event.ts';
import { type Paint, printable } from './terminal.ts';

export function formatEvent(event: Event, paint: Paint): string {
  const columns = [paint('dim', printable(event.time)), paint('cyan', printable(event.topic)), printable(event.type)];
  if (event.key !== undefined) columns.push(paint('yellow', printable(event.key)));
  columns.push(printable(JSON.stringify(event.data) ?? ''));
  return `${columns.join('  ')}\n`;
}

const REASONS: Readonly<Record<Gap['reason'], string>> = {
  expired: 'retention has let it go',
  'unknown-epoch': 'the cursor is of a log that is gone',
  ahead: 'the cursor is ahead of the log',
  lagged: 'retention overtook this reader',
};

export function formatGap(gap: Gap): string {
  const reason = REASONS[gap.reason] ?? gap.reason;
  return printable(`GAP in ${gap.topic}: events from ${gap.requested} to ${gap.oldest} are missing (${reason})`);
}
