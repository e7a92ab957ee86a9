import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { MIGRATIONS } from '../../src/store/postgres/migrations.ts';
import { NEWEST_MIGRATION } from '../../src/store/postgres/schema-version.ts';

it('knows the newest migration that there is', () => {
  const journal = JSON.parse(readFileSync(join(MIGRATIONS, 'meta/_journal.json'), 'utf8'));
  expect(NEWEST_MIGRATION).toBe(journal.entries.at(-1).when);
});
