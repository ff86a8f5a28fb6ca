/** A real S3 server for tests and benchmarks: OpenStack Swift from Debian's packages, see swift_server.py. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import * as z from 'zod';
import { packageRoot } from '../../sdk/base/package.js';

const PACKAGES = ['swift-account', 'swift-container', 'swift-object', 'swift-proxy'];
const missing = PACKAGES.filter((name) => !existsSync(`/usr/bin/${name}-server`));

/** Why {@link startSwift} cannot run here, for a test's `skip`; false where it can. */
export const noSwift: string | false =
  missing.length > 0 ? `no ${missing.join(', ')} here: apt-get install ${PACKAGES.join(' ')}` : false;

const Ready = z.object({
  endpoint: z.string(),
  accessKey: z.string(),
  secretKey: z.string(),
  guestKey: z.string(),
  guestSecret: z.string(),
});

/** The guest's keys are right, but allow nothing. Path style; any region will do. */
export interface Swift extends z.infer<typeof Ready> {
  makeBucket(name: string): Promise<void>;
  /** Ends it and takes away all that it kept. */
  stop(): Promise<void>;
}

/** Starts a server with no bucket in it. It ends with this process at the latest, however that ends. */
export async function startSwift(): Promise<Swift> {
  const server = spawn('/usr/bin/python3', [join(packageRoot, 'test/services/swift_server.py')], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = once(server, 'exit');
  const errors: string[] = [];
  createInterface(server.stderr).on('line', (line) => errors.push(line));
  for await (const line of createInterface(server.stdout)) {
    const ready = Ready.parse(JSON.parse(line));
    // A test that fails before it has stopped it shall end all the same.
    server.unref();
    for (const pipe of [server.stdout, server.stderr]) if (pipe instanceof Socket) pipe.unref();
    return {
      ...ready,
      makeBucket: (name) => makeBucket(ready, name),
      async stop() {
        server.ref();
        server.kill();
        await ended;
      },
    };
  }
  await ended;
  throw new Error(`Swift did not start: ${errors.slice(-5).join('; ')}`);
}

/** Through Swift's own interface, which needs no signature. */
async function makeBucket({ endpoint, accessKey, secretKey }: z.infer<typeof Ready>, name: string): Promise<void> {
  const { headers } = await fetch(`${endpoint}/auth/v1.0`, {
    headers: { 'X-Auth-User': accessKey, 'X-Auth-Key': secretKey },
  });
  const { ok, status } = await fetch(`${headers.get('x-storage-url')}/${name}`, {
    method: 'PUT',
    headers: { 'X-Auth-Token': headers.get('x-auth-token') ?? '' },
  });
  if (!ok) throw new Error(`Swift made no bucket ${name}: HTTP ${status}`);
}
