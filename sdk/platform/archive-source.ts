/** Archives in stores, for `sdk/archive`, which knows no stores. */
import type { ArchiveSource } from '../archive/archive-source.js';
import type { Entry, Store } from '../storage/store.js';
import { localPathOf } from '../storage/stores.js';
import { shownUrl } from '../storage/url.js';

/**
 * A file in a store as something to unpack: its path where it is local, else its bytes in ranges, all of one version.
 *
 * @param entry what {@link Store.stat} says of it
 */
export function archiveAt(url: string, { size, version }: Entry, store: Store): string | ArchiveSource {
  return (
    localPathOf(url) ?? {
      name: shownUrl(url),
      size,
      read: (start, end) => store.read(url, { start, end, version }),
    }
  );
}
