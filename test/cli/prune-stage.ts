/** The four roles on machines of a network, as namespaces of this one, with their work folder on OpenStack Swift. */
import type { AddressInfo, Server } from 'node:net';
import { join } from 'node:path';
import type { Test } from 'tap';
import { StorageError } from '../../sdk/base/errors.js';
import { s3StoreWith } from '../../sdk/storage/s3.js';
import { s3Settings } from '../../sdk/storage/s3-settings.js';
import { type Hosts, makeHosts, noHosts } from '../parallel/hosts.js';
import { type Relay, relay } from '../services/relay.js';
import { noSwift, startSwift } from '../services/swift.js';
import type { Ended, Running } from './command.js';
import { type Cluster, flagsOf, prepareRoot, pruneAlone, requireSame, startRole } from './prune-cluster.js';

/** Why there can be none here; false where there can. */
export const noStage: string | false = noHosts() || noSwift;

/** One machine each; the store is on machine 0. */
export const CAST = ['main', 'trainer', 'search', 'evaluator', 'evaluator'] as const;

/** Machines, a store, and who plays where. */
export interface Stage {
  readonly hosts: Hosts;
  readonly store: Relay;
  /** Starts one of the cast on its machine, which is the next number. */
  begin(i: number): Running;
  /** Files of the run, as the store itself has them. */
  names(folder: string): Promise<readonly string[]>;
  /** Waits for the ends of all roles: good ones, with the bits of one machine. */
  requireEnd(roles: readonly Running[]): Promise<readonly Ended[]>;
}

const how = flagsOf({
  iterations: 40,
  search_every: 20,
  search_budget: 40,
  search_images: 50,
  learning_rate: 0.01,
  retrain_learning_rate: 0.01,
  delta: 0.2,
  target_ratio: 5,
});

/** Prunes on one machine, to compare with. */
export async function prepareStage(t: Test, root: string): Promise<void> {
  if (noStage !== false) return;
  await prepareRoot(root);
  t.equal((await pruneAlone({ root, trainUrl: join(root, 'out-alone'), how })).code, 0);
}

/** Builds all that a run needs; it goes when the test ends. */
export async function makeStage(t: Test, root: string): Promise<Stage> {
  const swift = await startSwift();
  t.teardown(() => swift.stop());
  await swift.makeBucket('training');
  const hosts = makeHosts(t, CAST.length + 1);
  let port = 0;
  async function listen(): Promise<Server> {
    const server = await hosts.listen(0, port);
    ({ port } = addressOf(server.address()));
    return server;
  }
  const store = await relay(t, listen, swift.endpoint);
  const keys = { ACCESS_KEY_ID: swift.accessKey, SECRET_ACCESS_KEY: swift.secretKey };
  const env = { ...keys, S3_ENDPOINT: `http://${hosts.addresses[0]}:${port}` };
  const here: Cluster = { root, workUrl: 's3://training/work', trainUrl: t.testdir(), how, env };
  const direct = s3StoreWith('s3', () => s3Settings('s3', { env: { ...keys, S3_ENDPOINT: swift.endpoint } }));
  return {
    hosts,
    store,
    begin: (i) => startRole(t, here, CAST[i], [], hosts.on(i + 1)),
    async names(folder) {
      const found: string[] = [];
      try {
        for await (const file of direct.list(`${here.workUrl}/default/${folder}/`)) found.push(file.name);
      } catch (error) {
        if (!(error instanceof StorageError) || error.code !== 'E_NOT_FOUND') throw error;
      }
      return found;
    },
    async requireEnd(roles) {
      const ends = await Promise.all(roles.map(({ ended }) => ended));
      for (const { code, stderr } of ends) t.equal(code, 0, stderr);
      requireSame(t, here.trainUrl, join(root, 'out-alone'));
      return ends;
    },
  };
}

function addressOf(address: AddressInfo | string | null): AddressInfo {
  if (address === null || typeof address === 'string') throw new Error('it does not listen');
  return address;
}
