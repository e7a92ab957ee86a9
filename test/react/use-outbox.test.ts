import { afterEach, describe, expect, it } from 'vitest';
import { useOutbox } from '../../src/react/index.ts';
import { closeAll, probe, render, settled, system, until } from './system.ts';

afterEach(closeAll);

describe('useOutbox', () => {
  it('shows what waits to be written until the server has it', async () => {
    const { app, client, cut, restore } = system();
    const outbox = probe(() => useOutbox());
    render(client, outbox.element);
    expect(outbox.shown).toMatchObject({ queued: [], dead: [] });
    cut();
    const { id, confirmed } = client.publish('t', { data: 1 });
    await until(() => outbox.shown.queued.map((mutation) => mutation.id), [id]);
    restore();
    await confirmed;
    await until(() => outbox.shown.queued, []);
    expect((await app.json('/v1/topics/t')).body.events).toBe(1);
  });

  it('shows what was refused, to be sent again, changed or discarded', async () => {
    const { client } = system();
    const outbox = probe(() => useOutbox());
    render(client, outbox.element);
    for (const type of ['a b', 'c d']) await client.publish('t', { type, data: 1 }).confirmed.catch(() => {});
    await until(() => outbox.shown.dead.map(({ refusal }) => refusal?.problem?.code), ['invalid', 'invalid']);
    const [first, second] = outbox.shown.dead;
    await outbox.shown.edit(first!.id, { kind: 'publish', topic: 't', events: [{ data: 1 }] }).confirmed;
    await outbox.shown.retry(second!.id).confirmed.catch(() => {});
    await until(() => outbox.shown.dead.map(({ id }) => id), [second!.id]);
    expect(await outbox.shown.discard(second!.id)).toBe(true);
    await until(() => outbox.shown.dead, []);
  });

  it('is rendered again only when one of them has changed, and its actions stay the same', async () => {
    const sluice = system();
    const outbox = probe(() => useOutbox());
    const { show } = render(sluice.client, outbox.element);
    const { shown, renders } = outbox;
    sluice.client.subscribe('t');
    await settled(sluice);
    expect(outbox.renders).toBe(renders);
    show(outbox.element);
    expect(outbox.shown).toBe(shown);
  });
});
