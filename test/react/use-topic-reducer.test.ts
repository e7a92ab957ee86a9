import { Component, createElement, type ReactNode } from 'react';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { useTopicReducer } from '../../src/react/index.ts';
import { closeAll, probe, render, system, until } from './system.ts';

afterEach(closeAll);

class Boundary extends Component<{ children: ReactNode }, { error?: Error }> {
  override state: { error?: Error } = {};
  static getDerivedStateFromError = (error: Error) => ({ error });
  override render() {
    return this.state.error?.message ?? this.props.children;
  }
}

describe('useTopicReducer', () => {
  it('makes a value of the events, each once, also when components are mounted twice', async () => {
    const { app, client } = system();
    await app.publish('t', 1, 2);
    const sum = probe(() =>
      useTopicReducer<number, number>('t', (value, { data }) => value + data, 10, { after: 'earliest' }),
    );
    render(client, sum.element, { strict: true });
    await until(() => sum.shown.value, 13);
    await app.publish('t', 3);
    await until(() => sum.shown.value, 16);
    expect(sum.shown.last?.data).toBe(3);
  });

  it('is not rendered again while the value, and all else, stays the same', async () => {
    const { app, client } = system();
    const topic = probe(() => useTopicReducer('t', (value: number) => value, 0));
    const length = topic;
    render(client, length.element);
    await until(() => length.shown.state.kind, 'live');
    await app.publish('t', 1);
    await until(() => length.shown.last?.data, 1);
    expect(length.shown.value).toBe(0);
  });

  it('uses the reducer of the last render', async () => {
    const sluice = system();
    let factor = 1;
    const topic = probe(() => useTopicReducer<number, number>('t', (value, { data }) => value + data * factor, 0));
    const { show } = render(sluice.client, topic.element);
    await until(() => topic.shown.state.kind, 'live');
    await sluice.app.publish('t', 1);
    await until(() => topic.shown.value, 1);
    const requests = sluice.requests.length;
    factor = 10;
    show(topic.element);
    await sluice.app.publish('t', 1);
    await until(() => topic.shown.value, 11);
    expect(sluice.requests).toHaveLength(requests);
  });

  it('throws what the reducer throws where the component is rendered, and lets go', async () => {
    const { app, client } = system();
    const told = vi.spyOn(console, 'error').mockImplementation(() => {});
    const topic = probe(() =>
      useTopicReducer(
        't',
        () => {
          throw new Error('no such move');
        },
        0,
      ),
    );
    const { container } = render(client, createElement(Boundary, null, topic.element));
    await until(() => topic.shown.state.kind, 'live');
    await app.publish('t', 1);
    await until(() => container.textContent, 'no such move');
    await until(() => client.reads('t'), false);
    told.mockRestore();
  });
});
