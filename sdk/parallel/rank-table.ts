/** Huawei's file of a job's devices, which `RANK_TABLE_FILE` names: the machines of the job, that of rank 0 first. */
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { ParallelError, systemReason } from '../base/errors.js';
import { type Environment, variable } from '../base/rank-variables.js';

/**
 * The addresses of a job's machines, that of rank 0 first; undefined where `RANK_TABLE_FILE` is not set. Of a folder the file
 * `jobstart_hccl.json` is read, as ModelArts has it.
 *
 * @throws ParallelError `E_RENDEZVOUS` for a file that cannot be read, or is not complete
 */
export function rankTable(env: Environment): readonly string[] | undefined {
  const named = variable(env, 'RANK_TABLE_FILE');
  if (named === undefined) return undefined;
  const refused = (why: string) =>
    new ParallelError(
      'E_RENDEZVOUS',
      `RANK_TABLE_FILE ${named}: ${why}; without that variable MASTER_ADDR and MASTER_PORT count`,
    );
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(statSync(named).isDirectory() ? join(named, 'jobstart_hccl.json') : named, 'utf8'));
  } catch (error) {
    throw refused(error instanceof SyntaxError ? 'it is not JSON' : systemReason(error));
  }
  const status = STATUS.safeParse(json);
  if (status.success && status.data.status !== 'completed') {
    throw refused(`its status is ${JSON.stringify(status.data.status)}, not "completed"`);
  }
  const table = z.union([OF_SERVERS, OF_GROUPS]).safeParse(json);
  if (!table.success || table.data.length === 0) throw refused('it names no servers');
  return [...new Set(table.data)];
}

const STATUS = z.object({ status: z.string() });

/** Version 1.0. The machine is `host_ip` where `server_id` is a name. */
const OF_SERVERS = z
  .object({
    server_list: z.array(
      z.object({
        server_id: z.string(),
        host_ip: z.string().optional(),
        device: z.array(z.object({ rank_id: z.coerce.number() })),
      }),
    ),
  })
  .transform(({ server_list: servers }) => {
    const first = (server: (typeof servers)[number]) => Math.min(...server.device.map((device) => device.rank_id));
    return servers.toSorted((a, b) => first(a) - first(b)).map(({ server_id, host_ip }) => host_ip ?? server_id);
  });

/** The one before, in which ranks go by the order of the list. */
const OF_GROUPS = z
  .object({ group_list: z.array(z.object({ instance_list: z.array(z.object({ server_id: z.string() })) })) })
  .transform(({ group_list: groups }) =>
    groups.flatMap((group) => group.instance_list.map(({ server_id }) => server_id)),
  );
