/** How many candidates a second were evaluated of late: what was slow a while ago, such as waiting for somebody to come, says nothing of now. */

/**
 * See the head of this file.
 *
 * @example
 * const throughput = new Throughput();
 * throughput.add(10, 0.05);
 * throughput.perSecond; // 200
 */
export class Throughput {
  readonly #spans: { readonly count: number; readonly seconds: number }[] = [];

  /** So many took so long. */
  add(count: number, seconds: number): void {
    this.#spans.push({ count, seconds });
    while (this.#spans.length > 1 && this.#seconds(1) >= WINDOW_SECONDS) this.#spans.shift();
  }

  /** Undefined where nothing was evaluated yet. */
  get perSecond(): number | undefined {
    const seconds = this.#seconds(0);
    return seconds > 0 ? this.#spans.reduce((sum, { count }) => sum + count, 0) / seconds : undefined;
  }

  #seconds(from: number): number {
    return this.#spans.slice(from).reduce((sum, { seconds }) => sum + seconds, 0);
  }
}

/** What is further back is forgotten. */
const WINDOW_SECONDS = 10;
