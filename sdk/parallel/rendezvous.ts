/** Where the ranks of a job meet, from the variables of whatever started them. */
import type { Rank } from '../base/rank.js';

/** How ranks find one another. */
export type Rendezvous =
  | { readonly kind: 'memory'; readonly path: string }
  | { readonly kind: 'network'; readonly host: string; readonly port: number; readonly token: string }
  | { readonly kind: 'mpi' };

/**
 * Where this job's ranks meet.
 *
 * @param rank of more than one
 * @throws ParallelError `E_RENDEZVOUS` when nothing says on which machine rank 0 is
 */
export function rendezvousOf(rank: Rank, env: NodeJS.ProcessEnv = process.env): Rendezvous {
  return { kind: 'memory', path: env['MINDTS_RENDEZVOUS'] ?? `/dev/shm/mindts-${process.ppid}-${rank.size}` };
}
