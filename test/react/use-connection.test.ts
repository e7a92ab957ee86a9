import { createElement, Fragment } from 'react';
import { afterEach, describe, expect, it } from 'vitest';
import { useConnection } from '../../src/react/index.ts';
import { closeAll, probe, render, settled, system, until } from './system.ts';

afterEach(closeAll);

describe('useConnection', () => {
  it('says how the connection is', async () => {
    const { client } = system();
    const status = probe(() => useConnection());
    render(client, status.element);
    expect(status.shown).toMatchObject({ state: 'disconnected', quality: 'offline', queued: 0 });
    client.subscribe('t');
    await until(() => status.shown.quality, 'excellent');
    expect(status.shown).toBe(client.status);
  });

  it('is rendered again only when what was selected has changed', async () => {
    const sluice = system();
    const { client, cut, restore } = sluice;
    const quality = probe(() => useConnection((status) => status.quality));
    const pair = probe(() => useConnection(({ state, dead }) => ({ isOnline: state === 'connected', dead })));
    render(client, createElement(Fragment, null, quality.element, pair.element));
    client.subscribe('t');
    await until(() => [quality.shown, pair.shown], ['excellent', { isOnline: true, dead: 0 }]);
    const [renders, shown] = [[quality.renders, pair.renders], pair.shown];
    await client.publish('u', { data: 1 }).confirmed;
    await settled(sluice);
    expect([quality.renders, pair.renders]).toEqual(renders);
    expect(pair.shown).toBe(shown);
    cut();
    await until(() => [quality.shown, pair.shown.isOnline], ['offline', false]);
    restore();
    await until(() => pair.shown.isOnline, true);
  });

  it('selects anew when the selection is another, and tells apart what cannot be looked into', async () => {
    const { client } = system();
    let name: 'state' | 'quality' = 'state';
    const selected = probe(() => useConnection((status) => status[name]));
    const states = probe(() => useConnection(({ state }) => new Set([state])));
    const { show } = render(client, createElement(Fragment, null, selected.element, states.element));
    expect(selected.shown).toBe('disconnected');
    name = 'quality';
    show(createElement(Fragment, null, selected.element, states.element));
    expect(selected.shown).toBe('offline');
    client.subscribe('t');
    await until(() => [...states.shown], ['connected']);
  });
});
