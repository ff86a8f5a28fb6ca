/** Unpacks an archive and says so on the way; then waits, to be killed. */
import { unzip } from '../../sdk/archive/unzip.js';

const [archive, folder] = process.argv.slice(2);
await unzip(archive, folder, {
  onProgress({ files }) {
    if (files === 0) return;
    process.stdout.write('half way\n');
    // Nothing more happens in this process: it is killed with the first file written and the second not.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  },
});
