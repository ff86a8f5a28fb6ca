/** Many things at once, as many as are asked for, taken from a listing as it comes. */

/** Runs `action` on every item, `concurrency` at once; after a failure begins no more, lets those under way end, then throws the first. */
export async function forEach<T>(
  items: AsyncGenerator<T>,
  { concurrency, signal }: { readonly concurrency: number; readonly signal?: AbortSignal | undefined },
  action: (item: T) => Promise<void>,
): Promise<void> {
  const failures: unknown[] = [];
  async function work(): Promise<void> {
    try {
      for (let next = await items.next(); !next.done && failures.length === 0; next = await items.next()) {
        signal?.throwIfAborted();
        await action(next.value);
      }
    } catch (error) {
      failures.push(error);
    }
  }
  await Promise.all(Array.from({ length: concurrency }, work));
  await items.return(undefined);
  if (failures.length > 0) throw failures[0];
}
