/** The page at `/docs`: Scalar over the OpenAPI document, and something to read where its script cannot be loaded. */
import { html } from 'hono/html';

/** Pinned, so that the page changes only when we change it. */
const SCALAR = 'https://cdn.jsdelivr.net/npm/@scalar/api-reference@1.72.1';

/** Scalar with its own services off: nobody's API description is sent anywhere. */
const CONFIGURATION = JSON.stringify({
  agent: { disabled: true },
  mcp: { disabled: true },
  showDeveloperTools: 'never',
  telemetry: false,
  withDefaultFonts: false,
});

/** @param document where the OpenAPI document is, as a path */
export function docsPage(document: string) {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sluice API</title>
<style>
body { margin: 0; font: 16px/1.5 system-ui, sans-serif; color-scheme: light dark; }
#fallback { max-width: 42rem; margin: 4rem auto; padding: 0 1.5rem; }
</style>
</head>
<body>
<div id="fallback" hidden>
<h1>Sluice API</h1>
<p>The interactive reference is loaded from <code>cdn.jsdelivr.net</code>, which this browser could not reach.</p>
<p>The API is described in full by <a href="${document}">the OpenAPI document</a>: any OpenAPI viewer shows it.</p>
</div>
<noscript><p>This page needs JavaScript. The API is described by <a href="${document}">the OpenAPI document</a>.</p></noscript>
<script id="api-reference" data-url="${document}" data-configuration="${CONFIGURATION}"></script>
<script src="${SCALAR}" onerror="document.getElementById('fallback').hidden = false"></script>
</body>
</html>`;
}
