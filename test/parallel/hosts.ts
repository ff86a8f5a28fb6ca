/** Machines of a network, as network namespaces of this one, joined by a switch with links of 1 Gbit/s. Needs root and iproute2. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { Server, Socket } from 'node:net';
import { join } from 'node:path';
import { systemCode } from '../../sdk/base/errors.js';

/** Some machines of one network. */
export interface Hosts {
  readonly addresses: readonly string[];
  /** What runs a command there: put it before the command. */
  on(host: number): readonly string[];
  /** Cuts a machine off: its link stays, and nothing passes any more. */
  cut(host: number): void;
  /** Undoes that. */
  mend(host: number): void;
  /** A server of this process that listens on that machine, at a port of its choice where none is given. */
  listen(host: number, port?: number): Promise<Server>;
  /** A script that starts a command on the machine of an address, as `ssh` does. */
  readonly shell: string;
}

/** What a test has that is to be told of its end. */
interface Scope {
  teardown(end: () => void): void;
  testdir(): string;
}

const SUBNET = '10.77.0';

/** Why there cannot be any here; false when there can. */
export function noHosts(): string | false {
  if (process.getuid?.() !== 0) return 'network namespaces need root';
  const name = `mindts-${process.pid}-try`;
  const made = spawnSync('ip', ['netns', 'add', name]);
  if (made.status !== 0) return 'no network namespaces here (iproute2, CAP_SYS_ADMIN)';
  run('ip', 'netns', 'del', name);
  return spawnSync('tc', ['-V']).status !== 0 && 'tc not installed (Debian: iproute2)';
}

/** Builds machines and a switch, which go when the test ends, or this process does, however that is. */
export function makeHosts(t: Scope, count: number): Hosts {
  leaveNone();
  const space = (host: number | 'switch'): string => `mindts-${process.pid}-${host}`;
  const all = ['switch', ...Array.from({ length: count }, (_, i) => i)] as const;
  for (const host of all) {
    run('ip', 'netns', 'add', space(host));
    t.teardown(() => {
      // What was cut off hears of nothing.
      for (const pid of run('ip', 'netns', 'pids', space(host)).split('\n').filter(Boolean)) end(Number(pid));
      run('ip', 'netns', 'del', space(host));
    });
  }
  run('ip', '-n', space('switch'), 'link', 'add', 'bridge', 'type', 'bridge');
  run('ip', '-n', space('switch'), 'link', 'set', 'bridge', 'up');
  const addresses = Array.from({ length: count }, (_, host) => {
    const [own, port, there] = [space(host), `port${host}`, space('switch')];
    run('ip', '-n', own, 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', port, 'netns', there);
    run('ip', '-n', own, 'address', 'add', `${SUBNET}.${host + 1}/24`, 'dev', 'eth0');
    run('ip', '-n', own, 'link', 'set', 'lo', 'up');
    run('ip', '-n', own, 'link', 'set', 'eth0', 'up');
    run('ip', '-n', there, 'link', 'set', port, 'master', 'bridge', 'up');
    const limit = ['root', 'tbf', 'rate', '1gbit', 'burst', '256kb', 'latency', '50ms'];
    run('tc', '-n', own, 'qdisc', 'add', 'dev', 'eth0', ...limit);
    run('tc', '-n', there, 'qdisc', 'add', 'dev', port, ...limit);
    return `${SUBNET}.${host + 1}`;
  });
  const shell = join(t.testdir(), 'shell');
  // With a name of its own: MPI takes processes whose machines have the same name for neighbours.
  const start = `exec ip netns exec ${space('switch').replace('switch', '')}$host unshare --uts sh -c 'hostname host$0; exec "$@"' $host`;
  writeFileSync(shell, `#!/bin/sh\nhost=$((\${1##*.} - 1))\nshift\n${start} sh -c "$*"\n`, { mode: 0o755 });
  return {
    addresses,
    shell,
    on: (host) => ['ip', 'netns', 'exec', space(host)],
    cut: (host) => void run('ip', '-n', space('switch'), 'link', 'set', `port${host}`, 'down'),
    mend: (host) => void run('ip', '-n', space('switch'), 'link', 'set', `port${host}`, 'up'),
    listen: (host, port = 0) => listen(['ip', 'netns', 'exec', space(host)], { host: addresses[host], port }),
  };
}

/** A process that outlives this one, and takes away what a test that was killed has left. */
function leaveNone(): void {
  if (isWatched) return;
  isWatched = true;
  const ours = `ip netns list | grep -o '^mindts-${process.pid}-[^ ]*'`;
  const script = `cat; for space in $(${ours}); do ip netns pids $space | xargs -r kill -9; ip netns del $space; done`;
  const child = spawn('sh', ['-c', script], { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
  child.unref();
  if (child.stdin instanceof Socket) child.stdin.unref();
}

let isWatched = false;

/** A socket stays on the machine where it was made, whoever has it: a process there makes one, and hands it over. */
async function listen(
  [command, ...args]: readonly string[],
  place: { readonly host: string; readonly port: number },
): Promise<Server> {
  const script = `const server = require('node:net').createServer();
    server.listen(${JSON.stringify(place)}, () => process.send('', server, () => process.exit()));`;
  const child = spawn(command, [...args, process.execPath, '-e', script], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const ended = once(child, 'exit');
  const said = await Promise.race([once(child, 'message'), ended]);
  await ended;
  const server: unknown = said[1];
  if (!(server instanceof Server)) throw new Error(`nobody listens at ${place.host}:${place.port}`);
  return server;
}

function end(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (systemCode(error) !== 'ESRCH') throw error;
  }
}

function run(command: string, ...args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${stderr}`);
  return stdout;
}
