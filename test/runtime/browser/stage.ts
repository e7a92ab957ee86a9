/** What the tests of a room share: a Chromium, a server, and pages of another origin that may call it. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll } from 'vitest';
import { launchChromium } from '../../browser/chromium.ts';
import { type Served, serveForTest } from '../../browser/served.ts';
import { type Pages, servePages } from './pages.ts';

export interface Stage {
  readonly browser: Browser;
  readonly pages: Pages;
  readonly served: Served;
}

export interface StageOptions {
  /** For Chromium's command line. */
  readonly flags?: readonly string[];
  /** The origins that the server answers, where it is not only that of the pages. */
  readonly origins?: (pages: Pages) => string;
}

/** Opens one before all tests of a `describe`, and closes it after them. It is there once they have begun. */
export function setStage({ flags, origins = ({ url }) => url }: StageOptions = {}): Stage {
  const stage: { browser?: Browser; pages?: Pages; served?: Served } = {};

  beforeAll(async () => {
    stage.pages = await servePages();
    stage.served = await serveForTest('serve', { CORS_ORIGINS: origins(stage.pages) });
    stage.browser = await launchChromium(flags);
  });

  afterAll(async () => {
    await stage.browser?.close();
    await stage.served?.close();
    await stage.pages?.close();
  });

  return {
    get browser() {
      return stage.browser!;
    },
    get pages() {
      return stage.pages!;
    },
    get served() {
      return stage.served!;
    },
  };
}
