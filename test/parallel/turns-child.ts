/** One rank that asks for several things at once: `all`; or that leaves while it waits: `leave`. Prints what it got as JSON. */
import { setImmediate } from 'node:timers/promises';
import { systemCode } from '../../sdk/base/errors.js';
import { joinRanks, leaveRanks } from '../../sdk/parallel/ranks.js';

const ranks = await joinRanks();

/** Takes longer the earlier it is asked for. */
async function work(name: string, turns: number): Promise<string> {
  for (let i = 0; i < turns; i++) await setImmediate();
  return name;
}

if (process.argv.includes('all')) {
  const all = await Promise.all([
    ranks.onFirst(() => work('a', 200)),
    ranks.onFirst(() => work('b', 50)).then((name) => ranks.gather(name)),
    ranks.gather(ranks.id),
    ranks.broadcast(Uint8Array.of(7 - ranks.id)).then((bytes) => [...bytes]),
    ranks.onFirstOfNode(() => work('c', 0)),
  ]);
  console.log(JSON.stringify(all));
  leaveRanks();
} else if (ranks.id === 0) {
  const asked = ranks.gather('early').catch(systemCode);
  await setImmediate();
  leaveRanks('it is in a hurry');
  console.log(await asked);
} else {
  // Rank 0 waits for this one.
  await work('', 200);
  leaveRanks();
}
