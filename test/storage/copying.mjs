/**
 * A copy in a process of its own, which tests kill and measure: `node copying.mjs '{"source": …, "destination": …, …options}'`. It
 * runs what was built, and prints what it did and the most memory it took, in KiB.
 */
import { copyParallel } from '../../dist/sdk/storage/copy.js';

const { source, destination, ...options } = JSON.parse(process.argv[2]);
const done = await copyParallel(source, destination, options);
console.log(JSON.stringify({ ...done, maxRSS: process.resourceUsage().maxRSS }));
