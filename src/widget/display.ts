/** Values as text for people. Whatever a publisher sends comes out as text of bounded length, and nothing throws. */

/** What is longer is cut, in characters. */
const MAX_TEXT = 2000;

/** Units of time with their lengths in seconds, up to where each is used. */
const UNITS: readonly (readonly [Intl.RelativeTimeFormatUnit, number])[] = [
  ['second', 1],
  ['minute', 60],
  ['hour', 3600],
  ['day', 86_400],
  ['year', 31_557_600],
];

/**
 * @param format `number`, `number:<digits>`, `percent`, `percent:<digits>`, `currency:<code>`, `time`, `date` or `relative`; a
 *   value that is no number or time gives the plain text
 * @param locale a BCP 47 tag; one that is none counts as not given
 * @param now ms since 1970
 */
export function textOf(value: unknown, format = '', locale?: string, now = Date.now()): string {
  const text = plain(value);
  if (text.trim() === '') return text;
  const [kind, option] = format.split(':');
  try {
    if (kind === 'number' || kind === 'percent' || kind === 'currency') {
      const number = Number(text);
      const digits = Number(option);
      const options: Intl.NumberFormatOptions =
        kind === 'currency'
          ? { style: kind, currency: option }
          : {
              style: kind === 'percent' ? kind : 'decimal',
              ...(option && { minimumFractionDigits: digits, maximumFractionDigits: digits }),
            };
      if (Number.isFinite(number)) return new Intl.NumberFormat(locale, options).format(number);
    } else if (kind === 'time' || kind === 'date' || kind === 'relative') {
      const time = typeof value === 'number' ? value : Date.parse(text);
      if (Number.isFinite(time)) return timeText(time, kind, locale, now);
    }
  } catch {
    // No such locale or currency, or no such time: plain text says more than nothing.
    if (locale !== undefined) return textOf(value, format, undefined, now);
  }
  return text;
}

function plain(value: unknown): string {
  const text = typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value ?? '–');
  return text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text;
}

function timeText(time: number, kind: string, locale: string | undefined, now: number): string {
  if (kind === 'relative') {
    const seconds = (time - now) / 1000;
    const [unit, length] = UNITS.findLast(([, least]) => Math.abs(seconds) >= least) ?? ['second', 1];
    return new Intl.RelativeTimeFormat(locale, { numeric: 'auto' }).format(Math.trunc(seconds / length), unit);
  }
  const isToday = new Date(time).toDateString() === new Date(now).toDateString();
  return new Intl.DateTimeFormat(locale, {
    // The time of day needs its date unless it is today's.
    ...(kind === 'time' ? { timeStyle: isToday ? 'medium' : 'short' } : {}),
    ...(kind === 'time' && isToday ? {} : { dateStyle: 'medium' }),
  }).format(time);
}
