import { createElement, Fragment } from 'react';
import { afterEach, describe, expect, it } from 'vitest';
import { useCursors, usePresence, useTyping } from '../../src/react/index.ts';
import { closeAll, probe, render, type System, settled, system, until } from './system.ts';

afterEach(closeAll);

const namesOf = ({ members }: ReturnType<typeof usePresence>) => members.map(({ member }) => member);
const leavesOf = ({ requests }: System) => requests.filter((request) => request.startsWith('DELETE '));
const joinsOf = ({ requests }: System) => requests.filter((request) => request.startsWith('PUT '));

describe('usePresence', () => {
  it('is there while it is shown, tells its state, and leaves when it goes', async () => {
    const { client, make } = system();
    let mood = 'fine';
    const ada = probe(() => usePresence('room', { member: 'ada', state: { mood } }));
    const bob = probe(() => usePresence('room'));
    const { show, unmount } = render(client, ada.element);
    expect(ada.shown).toMatchObject({ members: [], state: { kind: 'waiting' }, membership: { kind: 'joining' } });
    render(make(), bob.element);
    await until(() => bob.shown.members.map(({ member, state }) => [member, state]), [['ada', { mood: 'fine' }]]);
    expect(bob.shown.membership).toBeUndefined();
    await until(() => ada.shown.membership, { kind: 'present' });
    mood = 'better';
    show(ada.element);
    await until(() => bob.shown.members[0]?.state, { mood: 'better' });
    ada.shown.update({ mood: 'best' });
    await until(() => bob.shown.members[0]?.state, { mood: 'best' });
    unmount();
    await until(() => namesOf(bob.shown), []);
    await until(() => client.reads('room'), false);
  });

  it('joins once when it is mounted twice, and does not leave in between', async () => {
    const sluice = system();
    const ada = probe(() => usePresence('room', { member: 'ada', state: 1 }));
    const { unmount } = render(sluice.client, createElement(Fragment, null, ada.element, ada.element), {
      strict: true,
    });
    await until(() => namesOf(ada.shown), ['ada']);
    await settled(sluice);
    // By joining, and by the first connection, which renews whatever there is.
    expect(joinsOf(sluice)).toHaveLength(2);
    expect(leavesOf(sluice)).toEqual([]);
    unmount();
    await until(() => leavesOf(sluice), ['DELETE /v1/presence/room/ada']);
  });

  it('stays when another component that is the same member goes on, or comes in its place', async () => {
    const sluice = system();
    const [one, two] = [1, 2].map(() => probe(() => usePresence('room', { member: 'ada' })));
    const { show } = render(sluice.client, one!.element);
    await until(() => namesOf(one!.shown), ['ada']);
    show(two!.element);
    expect(namesOf(two!.shown)).toEqual(['ada']);
    // Longer than anybody lingers: another topic that is let go of later has been left.
    const other = probe(() => usePresence('other'));
    show(createElement(Fragment, null, two!.element, other.element));
    show(two!.element);
    await until(() => sluice.client.reads('other'), false);
    expect([leavesOf(sluice), namesOf(two!.shown)]).toEqual([[], ['ada']]);
  });

  it('is another member when it is told another, and nobody when it is told none', async () => {
    const { client, make } = system();
    let member: string | undefined = 'ada';
    const own = probe(() => usePresence('room', { member }));
    const { show } = render(client, own.element);
    const other = probe(() => usePresence('room'));
    render(make(), other.element);
    await until(() => namesOf(other.shown), ['ada']);
    member = 'bob';
    show(own.element);
    await until(() => namesOf(other.shown), ['bob']);
    member = undefined;
    show(own.element);
    await until(() => namesOf(other.shown), []);
    expect(own.shown.membership).toBeUndefined();
  });

  it('is rendered again only when who is there has changed', async () => {
    const sluice = system();
    const ada = probe(() => usePresence('room', { member: 'ada', state: { a: 1 } }));
    const { show } = render(sluice.client, ada.element);
    await until(
      () => [namesOf(ada.shown), ada.shown.membership?.kind, ada.shown.state.kind],
      [['ada'], 'present', 'live'],
    );
    const { shown, renders } = ada;
    await sluice.app.publish('room', 1);
    sluice.client.subscribe('other');
    await settled(sluice);
    expect(ada.renders).toBe(renders);
    show(ada.element);
    expect(ada.shown).toBe(shown);
    expect(joinsOf(sluice)).toHaveLength(2);
  });

  it('says why it may not be there, and is closed without a topic', async () => {
    const { make } = system();
    const ada = probe(() => usePresence('room', { member: 'ada' }));
    const none = probe(() => usePresence(undefined, { member: 'ada' }));
    render(make({ token: undefined }), createElement(Fragment, null, ada.element, none.element));
    await until(() => ada.shown.membership, { kind: 'refused', code: 'token-required' });
    await until(() => ada.shown.state, { kind: 'refused', code: 'token-required' });
    expect(none.shown).toMatchObject({ members: [], state: { kind: 'closed' }, membership: undefined });
  });
});

describe('what members do', () => {
  it('shows who is typing, besides oneself', async () => {
    const { client, make } = system();
    const [ada, bob] = [probe(() => useTyping('room', 'ada')), probe(() => useTyping('room', 'bob'))];
    render(client, ada.element, { strict: true });
    const other = make();
    const { unmount } = render(other, bob.element);
    await expect
      .poll(
        () => {
          ada.shown.typed();
          return bob.shown.typing;
        },
        { interval: 100, timeout: 10_000 },
      )
      .toEqual(['ada']);
    expect(ada.shown.typing).toEqual([]);
    unmount();
    await until(() => other.reads('room'), false);
  });

  it('shows where the others are, and renders nobody else for it', async () => {
    const { client, make } = system();
    const [ada, bob] = [
      probe(() => useCursors<{ x: number }>('room', 'ada')),
      probe(() => useCursors<{ x: number }>('room', 'bob')),
    ];
    const members = probe(() => usePresence('room'));
    render(client, createElement(Fragment, null, ada.element, members.element));
    render(make(), bob.element);
    await until(() => members.shown.state.kind, 'live');
    const { renders } = members;
    let x = 0;
    await expect
      .poll(
        () => {
          x += 1;
          bob.shown.move({ x });
          return ada.shown.cursors.get('bob')?.x;
        },
        { interval: 150, timeout: 10_000 },
      )
      .toBeGreaterThan(3);
    expect(members.renders).toBe(renders);
  });
});
