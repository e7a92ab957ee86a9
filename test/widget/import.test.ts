import { expect, it } from 'vitest';

it('can be imported where there is no page, as by a server that renders one', async () => {
  const { SluiceFeed, SluiceValue, SluiceStatus } = await import('../../src/widget/index.ts');
  for (const element of [SluiceFeed, SluiceValue, SluiceStatus]) expect(element).toBeTypeOf('function');
  expect(globalThis.customElements).toBeUndefined();
});
