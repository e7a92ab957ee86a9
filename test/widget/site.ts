/** A web site of another origin than the server's, whose pages have the widget. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser, Page } from 'playwright-core';

export interface Site {
  readonly origin: string;
  /** Opens a page whose body is this. `script` is the server that the widget comes from. */
  open(browser: Browser, script: string, body: string, options?: PageOptions): Promise<WidgetPage>;
  close(): Promise<void>;
}

export interface PageOptions {
  /** Whether the page allows nothing but the widget itself, and no text to become markup. */
  readonly strict?: boolean;
  readonly setUp?: (page: Page) => Promise<unknown>;
}

export interface WidgetPage {
  readonly page: Page;
  /** What went wrong on the page: errors, and what its policy refused. */
  readonly complaints: string[];
  /** The texts of all elements of this part, inside all elements that the selector finds. */
  parts(selector: string, part: string): Promise<string[]>;
  /** The shown text of one element, as a reader sees it. */
  text(selector: string): Promise<string>;
  attribute(selector: string, name: string): Promise<string | null>;
}

export async function startSite(): Promise<Site> {
  const pages = new Map<string, { readonly html: string; readonly policy: string | undefined }>();
  const server = createServer((request, response) => {
    const found = pages.get(request.url ?? '');
    if (found === undefined) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, {
      'Content-Type': 'text/html; charset=utf-8',
      ...(found.policy !== undefined && { 'Content-Security-Policy': found.policy }),
    });
    response.end(found.html);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    origin,
    async open(browser, script, body, { strict = false, setUp } = {}) {
      const path = `/${pages.size}`;
      const html = `<!doctype html><html lang="en"><meta charset="utf-8"><link rel="icon" href="data:,">
<title>A page</title><script type="module" src="${script}/widget.js"></script><body>${body}</body></html>`;
      const policy = `default-src 'none'; img-src data:; script-src ${script}; connect-src ${script}; require-trusted-types-for 'script'; trusted-types 'none'`;
      pages.set(path, { html, policy: strict ? policy : undefined });
      const page = await browser.newPage();
      const complaints: string[] = [];
      page.on('pageerror', (error) => complaints.push(String(error)));
      page.on('console', (line) => {
        if (/Security Policy|TrustedHTML|CORS/i.test(line.text())) complaints.push(line.text());
      });
      await setUp?.(page);
      await page.goto(`${origin}${path}`);
      return {
        page,
        complaints,
        parts: (selector, part) =>
          page.evaluate(
            ([outer, inner]) =>
              [...document.querySelectorAll(outer)].flatMap((element) =>
                [...(element.shadowRoot?.querySelectorAll(`[part="${inner}"]`) ?? [])].map((each) => each.textContent),
              ),
            [selector, part] as const,
          ),
        text: (selector) => page.evaluate(shownText, selector),
        attribute: (selector, name) => page.locator(selector).getAttribute(name),
      };
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Runs in the page. Slots count as what is in them, and what is not displayed as nothing. */
function shownText(selector: string): string {
  const textOf = (node: Node): string => {
    if (node instanceof Text) return node.data;
    if (!(node instanceof Element) || getComputedStyle(node).display === 'none') return '';
    const slotted = node instanceof HTMLSlotElement ? node.assignedNodes() : [];
    const children = slotted.length > 0 ? slotted : [...(node.shadowRoot ?? node).childNodes];
    return children.map(textOf).join('');
  };
  const found = document.querySelector(selector);
  return found === null ? '' : textOf(found).trim();
}
