/** nginx with the Nchan module, a baseline where both are installed. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openFileLimit, start } from './processes.ts';
import { answering, firstChild, freePort, type Target } from './servers.ts';

const PLACES = ['/usr/lib/nginx/modules', '/usr/lib64/nginx/modules', '/etc/nginx/modules', '/usr/local/nginx/modules'];

function configuration(folder: string, module: string, port: number): string {
  // Standard error goes to the bench; nothing is logged of single requests.
  return `load_module ${module};
daemon off;
worker_processes 1;
worker_rlimit_nofile ${Math.min(openFileLimit(), 65_536)};
pid ${folder}/nginx.pid;
error_log stderr crit;
events { worker_connections 16384; }
http {
  access_log off;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  keepalive_requests 100000000;
  tcp_nodelay on;
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location = /healthz { return 200; }
    location = /publish { nchan_publisher; nchan_channel_id bench; }
    location = /events { nchan_subscriber eventsource; nchan_subscriber_first_message newest; nchan_channel_id bench; }
  }
}
`;
}

/** The module's file, or why there is none. `NCHAN_MODULE` names one that is installed elsewhere. */
function findModule(): { readonly module: string } | { readonly missing: string } {
  const places = [process.env['NCHAN_MODULE'] ?? '', ...PLACES.map((place) => join(place, 'ngx_nchan_module.so'))];
  const module = places.find((place) => place !== '' && existsSync(place));
  return module === undefined ? { missing: 'the Nchan module is not installed' } : { module };
}

function nginxMissing(): boolean {
  try {
    execFileSync('nginx', ['-v'], { stdio: 'ignore' });
    return false;
  } catch {
    return true;
  }
}

/** nginx+Nchan, or why it cannot be measured here. */
export function nchan(): { readonly target: Target } | { readonly missing: string } {
  if (nginxMissing()) return { missing: 'nginx is not installed' };
  const found = findModule();
  if ('missing' in found) return found;
  return { target: { name: 'nginx+Nchan', start: () => startNchan(found.module) } };
}

async function startNchan(module: string): ReturnType<Target['start']> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-bench-nginx-'));
  const port = await freePort();
  const file = join(folder, 'nginx.conf');
  writeFileSync(file, configuration(folder, module, port));
  const name = 'nginx+Nchan';
  const master = start({ name, command: 'nginx', args: ['-p', folder, '-e', 'stderr', '-c', file] });
  void master.ended.then(() => rmSync(folder, { recursive: true, force: true }));
  await answering(master, port, '/healthz');
  return {
    name,
    port,
    pid: await firstChild(master.pid),
    headers: {},
    streamPath: () => '/events',
    publishPath: () => '/publish',
    ready: ': hi',
    stop: () => master.stop(),
  };
}
