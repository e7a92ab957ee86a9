/** Publishing one event, and what the server answers. */
import { eventsPath, problemText } from './addresses.js';
import { byId, make } from './dom.js';

export function createPublishBox({ watch, changed }) {
  const form = byId('publish-form');
  const topic = byId('publish-topic');
  const type = byId('publish-type');
  const key = byId('publish-key');
  const data = byId('publish-data');
  const ephemeral = byId('publish-ephemeral');
  const error = byId('publish-error');
  const answer = byId('publish-answer');
  const button = form.querySelector('button[type=submit]');

  /** The event as the form has it, or `undefined` while its data are not JSON. */
  function event() {
    try {
      const value = JSON.parse(data.value);
      return {
        ...(type.value !== '' && { type: type.value }),
        data: value,
        ...(key.value !== '' && { key: key.value }),
        ...(ephemeral.checked && { ephemeral: true }),
      };
    } catch {
      // `check` tells the reader why.
      return undefined;
    }
  }

  function check() {
    let text = '';
    try {
      JSON.parse(data.value);
    } catch (reason) {
      text = data.value.trim() === '' ? 'Data is required: any JSON value.' : `Not JSON: ${reason.message}`;
    }
    if (topic.value.trim() === '') text = 'A topic is required.';
    error.textContent = text;
    data.setAttribute('aria-invalid', String(text !== '' && topic.value.trim() !== ''));
    topic.setAttribute('aria-invalid', String(topic.value.trim() === ''));
    return text === '';
  }

  async function publish() {
    const body = event();
    if (!check() || body === undefined) return;
    const name = topic.value.trim();
    button.disabled = true;
    try {
      const response = await fetch(eventsPath(name), {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', 'Idempotency-Key': crypto.randomUUID() },
        body: JSON.stringify(body),
      });
      if (!response.ok) return show('bad', `${response.status}`, await problemText(response));
      const published = await response.json();
      const where = published.cursor === undefined ? 'given to whoever is connected now' : `cursor ${published.cursor}`;
      show('good', `${response.status}`, where, name);
    } catch (reason) {
      show('bad', 'no answer', reason.message);
    } finally {
      button.disabled = false;
    }
  }

  function show(kind, status, text, name) {
    answer.hidden = false;
    answer.dataset.kind = kind;
    answer.replaceChildren(make('strong', {}, status), ` ${text}`);
    if (name === undefined || watch.topics().includes(name)) return;
    const add = make('button', { type: 'button' }, `Watch ${name}`);
    add.addEventListener('click', () => {
      add.remove();
      watch.set([...watch.topics(), name]);
    });
    answer.append(add);
  }

  form.addEventListener('submit', (submit) => {
    submit.preventDefault();
    void publish();
  });
  form.addEventListener('keydown', (press) => {
    if (press.key !== 'Enter' || !(press.ctrlKey || press.metaKey)) return;
    press.preventDefault();
    void publish();
  });
  form.addEventListener('input', () => {
    check();
    changed();
  });

  return { event, topic: () => topic.value.trim() };
}
