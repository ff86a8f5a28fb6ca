/**
 * How long a run of pruning takes yet. Steps alone do not tell: until pruning ends there are searches between them, and both become cheaper
 * with each parameter that goes. So what is left of either is reckoned by what it took last.
 */
import type { PruneSettings } from './settings.js';

/**
 * See the head of this file.
 *
 * @example
 * const outlook = new Outlook({ iterations: 100, prune_stop: 50, search_every: 10 });
 * outlook.searched(4);
 * outlook.trained(10, 1);
 * outlook.left(10); // 25
 */
export class Outlook {
  private perRound: number | undefined;
  private perStep: number | undefined;

  constructor(private readonly settings: Pick<PruneSettings, 'iterations' | 'prune_stop' | 'search_every'>) {}

  /** A round took so long. */
  searched(seconds: number): void {
    this.perRound = smoothed(this.perRound, seconds);
  }

  /** So many steps did. */
  trained(steps: number, seconds: number): void {
    this.perStep = smoothed(this.perStep, seconds / steps);
  }

  /**
   * Seconds that are left.
   *
   * @param iteration steps taken
   * @param round the one that is being searched, in seconds: spent on it, and left of it where that is known
   * @returns undefined where nothing was trained yet
   */
  left(iteration: number, round?: { readonly spent: number; readonly left: number | undefined }): number | undefined {
    const { perRound = 0, perStep } = this;
    if (perStep === undefined) return undefined;
    const { iterations, prune_stop: stop, search_every: every } = this.settings;
    const rounds = Math.max(0, Math.ceil((stop - iteration) / every));
    const training = (iterations - iteration) * perStep;
    if (round === undefined) return rounds * perRound + training;
    const { spent, left = Math.max(0, perRound - spent) } = round;
    return left + (rounds - 1) * smoothed(this.perRound, spent + left) + training;
  }
}

/** The last one counts for half, since a busy machine makes them uneven. */
function smoothed(before: number | undefined, now: number): number {
  return before === undefined ? now : (before + now) / 2;
}
