/** What `npm run build` adds to the compiled code: the files of the first page, and the widget as one file. */
import { cpSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { bundleWidget } from '../src/node/bundle-widget.ts';

const at = (path: string): string => fileURLToPath(new URL(`../${path}`, import.meta.url));

cpSync(at('src/node/dev-page'), at('dist/node/dev-page'), { recursive: true, filter: (file) => !file.endsWith('.ts') });
const { text } = await bundleWidget();
writeFileSync(at('dist/widget/sluice.js'), text);
