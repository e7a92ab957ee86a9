/** A worker that uses the client: it subscribes, publishes, and answers with what it was told. */
import { createClient } from '../../src/client/index.ts';

export default {
  async fetch(request: Request): Promise<Response> {
    const { url, token, topic } = (await request.json()) as Record<'url' | 'token' | 'topic', string>;
    const errors: string[] = [];
    const client = createClient({ url, token, onError: (error) => errors.push(String(error)) });
    const told: unknown[] = [];
    const confirmed = client.publish(topic, [{ data: 1 }, { data: 2 }]).confirmed;
    for await (const { data } of client.subscribe(topic, { after: 'earliest' })) {
      told.push(data);
      // The third is published once the stream is live, so that it comes by it.
      if (told.length === 2) client.publish(topic, { data: 3 });
      if (told.length === 3) break;
    }
    await confirmed;
    const { transport } = client.status;
    client.close();
    return Response.json({ told, transport, errors });
  },
};
