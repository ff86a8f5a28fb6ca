/** Memory for files on their way, bounded: whoever asks for more waits until some is given back, in the order of asking. */

/** Bytes that may be on their way at once, in all copies of this process together. */
const BUDGET = 64 * 2 ** 20;
/** Buffers of this size are used again, so that no garbage piles up. */
const KEPT_SIZE = 8 * 2 ** 20;

let free = BUDGET;
const kept: Buffer[] = [];
const waiting: { readonly bytes: number; readonly begin: () => void }[] = [];

/**
 * Lends a buffer to `use` until it is done. A buffer larger than the budget is lent when nothing else is.
 *
 * @example
 * await withBuffer(5, async (buffer) => buffer.length); // 5
 */
export async function withBuffer<T>(bytes: number, use: (buffer: Buffer) => Promise<T>): Promise<T> {
  const cost = Math.min(bytes, BUDGET);
  if (waiting.length > 0 || cost > free) await new Promise<void>((begin) => waiting.push({ bytes: cost, begin }));
  else free -= cost;
  const buffer = (bytes === KEPT_SIZE ? kept.pop() : undefined) ?? Buffer.allocUnsafeSlow(bytes);
  try {
    return await use(buffer);
  } finally {
    if (bytes === KEPT_SIZE) kept.push(buffer);
    free += cost;
    for (let next = waiting.at(0); next !== undefined && next.bytes <= free; next = waiting.at(0)) {
      waiting.shift();
      free -= next.bytes;
      next.begin();
    }
  }
}
