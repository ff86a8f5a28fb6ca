/** The state of a run on a cluster, in lines for a terminal. What is not known is not said. */
import { hostname } from 'node:os';
import { amount, duration } from '../base/amounts.js';
import type { Lease } from '../pruning/farm/board-status.js';
import { isHere, type MemberStatus, type RunStatus } from '../pruning/farm/status.js';
import type { Overview } from '../pruning/roles/overview.js';
import { shownUrl } from '../storage/url.js';

/**
 * The lines of a run.
 *
 * @param here this machine's name: of another one's clock is said that it is another
 */
export function statusLines(status: RunStatus, overview: Overview, here: string = hostname()): readonly string[] {
  const { run, url, stopped, members, missing, board, quarantined, damaged } = status;
  const { network, method } = overview;
  const what = network === undefined ? '' : `${network} by ${method}, `;
  const lines = [`run ${run}: ${what}${shownUrl(url)}`, ...courseLines(overview)];
  const absent = stopped === undefined ? missing : [];
  for (const member of members) lines.push(roleLine(member, overview, here));
  for (const role of absent) lines.push(line(role, 'none'));
  if (board !== undefined) {
    const { round, generation, candidates, blocks, answered, claimed, backlog, leases } = board;
    const how = `${amount(blocks, 'blocks')}: ${answered} answered, ${claimed} in hand, ${backlog} in the backlog`;
    lines.push(
      line('board', `round ${round}, generation ${generation}, ${amount(candidates, 'candidates')} in ${how}`),
    );
    for (const lease of leases) lines.push(line('', leaseText(lease)));
  }
  lines.push(line('quarantine', amount(quarantined.length, 'messages')));
  for (const { name, why } of damaged) lines.push(line('damaged', `${name} ${why}`));
  if (stopped !== undefined) lines.push(line('stopped', stopped));
  return lines;
}

function courseLines({ iteration, iterations, rounds, reached, search, secondsLeft }: Overview): readonly string[] {
  const lines: string[] = [];
  if (iterations !== undefined) {
    const left = secondsLeft === undefined ? '' : `, ${duration(secondsLeft)} left`;
    lines.push(line('iteration', `${iteration ?? 0} of ${iterations}${left}`));
  }
  if (reached !== undefined) {
    const { ratio, accuracy, iteration: at } = reached;
    lines.push(line('reached', `${ratio.toFixed(1)}×, validation accuracy ${percent(accuracy)}, at iteration ${at}`));
  }
  if (search !== undefined) {
    const { round, generation, candidates, best, candidatesPerSecond: speed } = search;
    const of = rounds === undefined ? '' : ` of 0 to ${rounds - 1}`;
    const where = generation === undefined ? '' : `, generation ${generation}`;
    const fast = speed === undefined ? '' : `, ${speed.toFixed(0)} candidates/s`;
    lines.push(line('round', `${round}${of}${where}, ${amount(candidates, 'candidates')} evaluated${fast}`));
    if (generation !== undefined) lines.push(line('best', bestText(best)));
  }
  return lines;
}

function bestText(
  best: { readonly ratio: number; readonly loss: number; readonly accuracy: number } | undefined,
): string {
  if (best === undefined) return 'no candidate of this round meets the constraint yet';
  return `${best.ratio.toFixed(1)}×, loss ${best.loss.toFixed(4)}, accuracy ${percent(best.accuracy)}`;
}

function roleLine(member: MemberStatus, { evaluators }: Overview, here: string): string {
  const { role, state, session } = member;
  const words = [`${state.padEnd(6)} ${who(member)}, ${heard(member, here)}`];
  const done = evaluators.get(session);
  if (done !== undefined) {
    const { candidates, candidatesPerSecond: speed } = done;
    const fast = speed !== undefined && isHere(member) ? `, ${speed.toFixed(0)} candidates/s while at work` : '';
    words.push(`${amount(candidates, 'candidates')} evaluated${fast}`);
  }
  return line(role, words.join('; '));
}

function leaseText(lease: Lease): string {
  const { block, how, candidates, state, secondsHeld } = lease;
  const since = secondsHeld === undefined ? '' : ` ${duration(secondsHeld)} ago`;
  const by =
    state === undefined ? 'an evaluator that is gone' : `${who(lease)}${state === 'alive' ? '' : ` (${state})`}`;
  return `block ${block}, ${amount(candidates, 'candidates')}: ${how === 'claimed' ? 'claimed by' : 'given to'} ${by}${since}`;
}

function who({ pid, host }: Pick<MemberStatus, 'pid' | 'host'>): string {
  return host === undefined ? 'a process whose claim is damaged' : `process ${pid} on ${host}`;
}

/** Signs of life tell the time by the clock of where they were given, which on another machine may be any. */
function heard({ secondsSinceBeat: seconds, host }: MemberStatus, here: string): string {
  if (seconds === undefined) return 'no sign of life can be read';
  if (host === here) return `${duration(Math.max(0, seconds))} ago`;
  if (seconds >= 0) return `${duration(seconds)} ago by its clock`;
  return seconds > -CLOSE_SECONDS ? 'just now' : `by its clock, which is ${duration(-seconds)} ahead`;
}

/** Clocks that are set by a server differ by less. */
const CLOSE_SECONDS = 5;

function line(name: string, text: string): string {
  return `  ${name.padEnd(10)} ${text}`;
}

function percent(part: number): string {
  return `${(100 * part).toFixed(2)} %`;
}
