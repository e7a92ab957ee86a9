/** A real Chromium for tests. */
import { type Browser, chromium } from 'playwright-core';
import { findProgram } from './program.ts';

export const CHROMIUM = findProgram(
  'CHROMIUM',
  ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'],
  'apt-get install chromium',
);

/** @param flags more of them */
export function launchChromium(flags: readonly string[] = []): Promise<Browser> {
  if (CHROMIUM === undefined) throw new Error('there is no Chromium: guard the tests with describe.skipIf');
  return chromium.launch({
    executablePath: CHROMIUM,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-background-networking',
      '--disable-component-update',
      '--no-first-run',
      ...flags,
    ],
  });
}
