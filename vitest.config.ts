import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Those that take minutes, and wait for most of them: begun last, one of them would go on alone. */
const LONG = /\/test\/(conformance\/|http\/presence\.|widget\/line\.|runtime\/browser\/(two-tabs|recovery)\.)/;

class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const isLong = ({ moduleId }: TestSpecification) => LONG.test(moduleId);
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))];
  }
}

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // Two workers: the tests start real servers and databases, and share two cores with them.
    maxWorkers: 2,
    sequence: { sequencer: LongFirst },
  },
});
