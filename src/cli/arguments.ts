/** Parsers of arguments that several commands take. Each throws commander's error, which ends with exit code 2. */
import { InvalidArgumentError } from 'commander';
import { parseDuration } from '../config/units.ts';
import { isTopic } from '../protocol/topic.ts';

export function parseTopic(text: string): string {
  if (isTopic(text)) return text;
  throw new InvalidArgumentError('A topic is 1 to 512 bytes without white space, control characters or *.');
}

/** A duration, in milliseconds. */
export function parseSpan(text: string): number {
  const ms = parseDuration(text);
  if (ms !== undefined) return ms;
  throw new InvalidArgumentError('A duration is a number with ms, s, m, h, d or w: 30s, 12h.');
}

export function parseWhole(low: number, high: number): (text: string) => number {
  return (text) => {
    const value = /^[0-9]{1,16}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= low && value <= high) return value;
    throw new InvalidArgumentError(`It is a whole number from ${low} to ${high}.`);
  };
}
