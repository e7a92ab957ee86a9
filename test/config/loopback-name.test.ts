import { expect, it } from 'vitest';
import { isLoopbackName } from '../../src/config/loopback-name.ts';

it.each(['localhost', 'LOCALHOST', 'app.localhost', 'a.b.localhost', '127.0.0.1', '127.0.0.53', '::1', '[::1]'])(
  '%s means this machine',
  (name) => {
    expect(isLoopbackName(name)).toBe(true);
  },
);

it.each([
  '',
  '0.0.0.0',
  '128.0.0.1',
  '127.0.0.1.example',
  'x127.0.0.1',
  '127.evil.example',
  'localhost.example',
  'notlocalhost',
  '.localhost',
  '::',
  '::2',
  '[::1',
  'localhost\n',
])('%j may mean another', (name) => {
  expect(isLoopbackName(name)).toBe(false);
});
