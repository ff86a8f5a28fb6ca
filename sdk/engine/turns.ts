/** What programs share that run on the event loop's own thread: one call at a time, and a turn of the loop after every batch. */
import { setImmediate as breathe } from 'node:timers/promises';
import { EngineError } from '../base/errors.js';
import type { Dataset } from '../dataset/dataset.js';
import type { InputPlan } from '../dataset/transforms.js';
import type { Network } from '../nn/network.js';
import { requireFit } from './checks.js';
import type { Batch } from './reference/batch.js';
import { batchAssembler } from './reference/input.js';

/** A program's turns. */
export class Turns {
  /** Whether `stop` was called since the call that runs began. */
  stopping = false;
  private running = false;
  private closed = false;

  constructor(
    private readonly network: Network,
    private readonly plan: InputPlan,
  ) {}

  /** @throws EngineError `E_CLOSED`, `E_BUSY` */
  requireIdle(): void {
    const { name } = this.network;
    if (this.closed) throw new EngineError('E_CLOSED', `network ${name}: its program was closed; compile it again`);
    if (this.running) throw new EngineError('E_BUSY', `network ${name}: its program is running; await that first`);
  }

  /**
   * Visits the samples of `order`, `size` at a time, until a visit says false. Between batches the event loop turns, so that signals,
   * uploads and `stop` have their time.
   *
   * @throws EngineError `E_CLOSED`, `E_BUSY`, `E_ORDER`; DatasetError `E_PLAN`, `E_COUNT`, `E_CLASSES`
   */
  async each(
    { data, order, size }: { readonly data: Dataset; readonly order: Int32Array; readonly size: number },
    visit: (batch: Batch) => boolean,
  ): Promise<void> {
    this.requireIdle();
    requireFit(this.network, { plan: this.plan, data, order });
    this.stopping = false;
    this.running = true;
    try {
      const assemble = batchAssembler(this.plan, Math.min(size, order.length));
      for (let first = 0; first < order.length; first += size) {
        const goOn = visit(assemble(data, order.subarray(first, first + size)));
        if (!goOn) return;
        await breathe();
      }
    } finally {
      this.running = false;
    }
  }

  /**
   * Refuses all calls from now on.
   *
   * @returns whether it was open
   * @throws EngineError `E_BUSY`
   */
  close(): boolean {
    if (this.closed) return false;
    this.requireIdle();
    this.closed = true;
    return true;
  }
}
