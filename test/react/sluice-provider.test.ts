import { createElement } from 'react';
import { afterEach, expect, it } from 'vitest';
import { SluiceProvider, useClient, useTopic } from '../../src/react/index.ts';
import { closeAll, probe, render, system, until } from './system.ts';

afterEach(closeAll);

it('gives its client, and another one to who is below it when it is given another', async () => {
  const { app, client, make } = system();
  const topic = probe(() => ({ ...useTopic('t'), client: useClient() }));
  const { show } = render(client, topic.element);
  await until(() => topic.shown.state.kind, 'live');
  const other = make();
  expect(topic.shown.client).toBe(client);
  show(createElement(SluiceProvider, { client: other }, topic.element));
  expect(topic.shown.client).toBe(other);
  await until(() => [client.reads('t'), topic.shown.state.kind], [false, 'live']);
  await app.publish('t', 1);
  await until(() => topic.shown.last?.data, 1);
});

it('gives the other client to the same components, which begin anew', async () => {
  const { app, client, make } = system();
  await app.publish('t', 1);
  const topic = probe(() => useTopic('t', { last: 1 }));
  const { show, provide } = render(client, topic.element);
  await until(() => topic.shown.last?.data, 1);
  const other = make();
  provide(other);
  show(topic.element);
  expect(topic.shown.events).toEqual([]);
  await until(() => [client.reads('t'), other.reads('t'), topic.shown.last?.data], [false, true, 1]);
});
