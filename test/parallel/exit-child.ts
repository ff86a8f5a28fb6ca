/** One rank, which exits with 143 at SIGTERM, whatever it waits for: for the others, then for what each gives. `busy`: it gives nothing. */
import { joinRanks } from '../../sdk/parallel/ranks.js';

process.on('SIGTERM', () => process.exit(143));
console.log('joining');
const ranks = await joinRanks();
console.log('joined');
if (process.argv.includes('busy')) await new Promise(() => setInterval(() => {}, 1000));
await ranks.gather(ranks.id);
