/** The four roles on machines of a network: with links that hold, and with one that does not. */
import tap from 'tap';
import { paceOf, until } from '../../sdk/pruning/farm/pace.js';
import type { Running } from './command.js';
import { CAST, makeStage, prepareStage, noStage as skip } from './prune-stage.js';

const root = tap.testdir();
const [CUT, OTHER] = [3, 4];

tap.before(() => prepareStage(tap, root));

tap.test('roles on five machines, the store on a sixth, end with the bits of one machine', { skip }, async (t) => {
  const { begin, requireEnd } = await makeStage(t, root);
  await requireEnd(CAST.map((_, i) => begin(i)));
});

tap.test(
  'an evaluator that is cut off for longer than its lease loses its work to another, comes back, and does the rest alone',
  { skip },
  async (t) => {
    const { begin, hosts, names, requireEnd } = await makeStage(t, root);
    const first = begin(CUT);
    const roles = [0, 1, 2].map(begin);
    await first.seen(/as evaluator/);
    const [, session] = /\.([0-9a-f]{12})\.claim$/m.exec((await names('roles/evaluator')).join('\n')) ?? [];
    // The other comes when the first is cut: until then every claim is the first one's.
    let second: Running | undefined;
    let isOver = false;
    void roles[0].ended.then(() => {
      isOver = true;
    });

    const pace = paceOf('s3://', { leastPollMs: 10, mostPollMs: 100 });
    const board = async (): Promise<readonly Block[]> => (await names('board')).flatMap(blockOf);
    /** A block that the first one works on. */
    async function heldByFirst(): Promise<Block | undefined> {
      const files = await board();
      const answered = new Set(files.filter(({ what }) => what === 'result').map(({ block }) => block));
      return files.find(
        ({ what, ...file }) => what === 'claim' && file.session === session && !answered.has(file.block),
      );
    }
    /** Whether another one has answered it; undefined as long as nobody has. */
    async function isTakenOver({ block }: Block): Promise<boolean | undefined> {
      const files = await board();
      const answer = files.find((file) => file.what === 'result' && file.block === block);
      if (answer !== undefined) return answer.session !== session;
      // All of its generation was answered between two looks: nobody can tell by whom.
      return files.some((file) => file.block === block) ? undefined : false;
    }
    async function catchFirst(): Promise<boolean> {
      hosts.mend(CUT + 1);
      const held = await until(async () => (isOver ? OVER : await heldByFirst()), {
        pace,
        what: 'a claim of the first evaluator',
      });
      if (held === OVER) return true;
      hosts.cut(CUT + 1);
      second ??= begin(OTHER);
      await second.seen(/as evaluator/);
      return until(async () => isOver || (await isTakenOver(held)), { pace, what: 'an answer to that block' });
    }
    // It may have answered at the last moment: then once more.
    for (let isCaught = false; !isCaught; ) isCaught = await catchFirst();
    if (isOver) t.comment('the run was over before the first one was caught at work');
    second?.child.kill('SIGKILL');
    hosts.mend(CUT + 1);
    await requireEnd([...roles, first]);
  },
);

/** In place of a block. */
const OVER = 'over';

/** A file of the board about one block, called by its generation and its number. */
interface Block {
  readonly block: string;
  readonly what: string;
  readonly session: string;
}

function blockOf(name: string): readonly Block[] {
  const [generation, what, number, session] = name.split('.');
  return session === undefined ? [] : [{ block: `${generation}.${number}`, what, session }];
}
