/** A run as each of its roles sees it: what main has said, as a network, parameters and settings. */
import { CheckpointError } from '../../base/errors.js';
import type { Transform } from '../../dataset/transforms.js';
import type { Network } from '../../nn/network.js';
import { buildNetwork } from '../../nn/networks.js';
import { shownUrl } from '../../storage/url.js';
import { getData } from '../farm/data.js';
import type { RunFolder } from '../farm/folder.js';
import { waitForEntry } from '../farm/journal.js';
import { joinRun } from '../farm/run.js';
import type { PruneSettings } from '../settings.js';
import { ClusterRun, Turn } from './messages.js';

/** A run that this process takes part in. */
export interface Joined {
  readonly folder: RunFolder;
  readonly network: Network;
  readonly classes: number;
  readonly transforms: readonly Transform[];
  readonly settings: PruneSettings;
  /**
   * The dense network's, as soon as main has granted the first turn.
   *
   * @throws PruningError `E_FARM_DATA`; the signal's reason
   */
  parameters(signal: AbortSignal): Promise<Float32Array>;
}

/**
 * Joins a run, as soon as its main has begun it.
 *
 * @throws PruningError `E_RUN` for one of something else, `E_FARM_SILENT`, `E_STOPPED`
 */
export async function joinPruning(folder: RunFolder): Promise<Joined> {
  const run = await joinRun(folder, ClusterRun);
  const { network, transforms } = networkOf(run);
  return {
    folder,
    network,
    transforms,
    classes: run.classes,
    settings: run.settings,
    async parameters(signal) {
      await waitForEntry(folder, 'main', { topic: 'turns', number: 0, schema: Turn, signal });
      const bytes = await getData(folder, run.parameters);
      // A view of its own, at an address that suits float32.
      const parameters = new Float32Array(Uint8Array.from(bytes).buffer);
      if (parameters.length === network.parameterCount) return parameters;
      const holds = `${parameters.length} parameters for ${network.name}, which has ${network.parameterCount}`;
      throw new CheckpointError('E_CKPT_NETWORK', `${shownUrl(folder.url)} holds ${holds}: begin another run`);
    },
  };
}

/** The network of a run. */
export function networkOf({
  network,
  classes,
  height,
  width,
}: Pick<ClusterRun, 'network' | 'classes' | 'height' | 'width'>): ReturnType<typeof buildNetwork> {
  return buildNetwork(network, { classes, height: height ?? undefined, width: width ?? undefined });
}
