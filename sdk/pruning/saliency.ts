/**
 * What the loss would lose with a parameter, by its gradients: optimal brain damage (LeCun, Denker, Solla 1990) with the empirical Fisher information in place
 * of second derivatives, p² · E[g²]. Unlike magnitudes, these can be compared between layers, and what leads nowhere has none.
 */
import type { Dataset } from '../dataset/dataset.js';
import type { Engine, Masking, Program } from '../engine/engine.js';
import { softmaxCrossEntropy } from '../nn/losses.js';
import type { Network } from '../nn/network.js';
import { adam } from '../nn/optimizers.js';

/** What gradients say of a network's parameters. */
export interface Saliencies {
  /** (p² · E[g²])^¼ of every parameter, 0 where the mask is: the fourth root has their order, and a distribution near that of magnitudes. */
  readonly saliency: Float32Array;
  /** In the order of E[g]² / E[g²], what the loss would gain with its best value, for every parameter that is masked. 0 elsewhere; absent where it was not asked for. */
  readonly gain?: Float32Array;
}

/** Measures saliencies of one network on some data. Close it at the end. */
export class SaliencyMeter {
  private readonly program: Program;
  private readonly masking: Masking | undefined;

  constructor(
    private readonly network: Network,
    { engine, data, batchSize }: { readonly engine: Engine; readonly data: Dataset; readonly batchSize: number },
  ) {
    // Its moments are what is asked for; at a learning rate of 0 it changes nothing.
    this.program = engine.compile(network, {
      loss: softmaxCrossEntropy(),
      optimizer: adam({ beta1: 0.99 }),
      batchSize,
      input: data.plan,
    });
    this.masking = this.program.masking;
  }

  /**
   * g is the gradient of a batch's mean loss; later batches count somewhat more.
   *
   * @param options order: samples of `data`, batch after batch; gains: whether those are asked for, which takes gradients of all parameters
   */
  async measure(
    { values, mask }: { readonly values: Float32Array; readonly mask: Uint8Array },
    { data, order, gains = false }: { readonly data: Dataset; readonly order: Int32Array; readonly gains?: boolean },
  ): Promise<Saliencies> {
    const zeros = (): Float32Array => new Float32Array(this.network.parameterCount);
    this.program.load({ parameters: values, slots: [zeros(), zeros()], step: 0 });
    this.masking?.set(mask);
    await this.program.train(data, order, { learningRate: 0, maskedStay: !gains });
    const [means, squares] = this.program.state().slots;
    const saliency = squares.map((square, i) =>
      mask[i] === 0 ? 0 : Math.sqrt(Math.abs(values[i]) * Math.sqrt(square)),
    );
    if (!gains) return { saliency };
    return { saliency, gain: means.map((mean, i) => (mask[i] === 0 && squares[i] > 0 ? mean ** 2 / squares[i] : 0)) };
  }

  /** Frees the program. */
  close(): void {
    this.program.close();
  }
}
