/** Unpacks a zip as a process of its own, which the command line has no word for: `run.js ARCHIVE FOLDER`. */
import { unzip } from '../../sdk/archive/unzip.js';

const [archive, folder] = process.argv.slice(2);
await unzip(archive, folder);
