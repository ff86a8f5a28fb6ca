/**
 * The store of HDFS against Hadoop itself: two namenodes, a datanode and an HttpFS server in one process (hadoop/Cluster.java). Needs a Java 17
 * and Maven, which gets Hadoop's jars (110 MB) into its own cache.
 */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { t as tap, test } from 'tap';
import { z } from 'zod';
import { hdfsStore as store } from '../../sdk/storage/hdfs.js';
import { type HdfsPlace, hdfsStories, read } from '../storage/hdfs-stories.js';

const home = join(import.meta.dirname, 'hadoop');
const work = mkdtempSync(join(tmpdir(), 'mindts-hadoop-'));
tap.teardown(() => rmSync(work, { recursive: true, force: true }));
tap.setTimeout(900_000);

const Addresses = z.object({ standby: z.string(), active: z.string(), httpfs: z.string() });
type Addresses = z.infer<typeof Addresses>;

const jars = findJars();
const cluster = jars.path === undefined ? undefined : await startCluster(jars.path);
const skip = cluster === undefined ? (jars.reason ?? 'no cluster') : false;

/** Maven's word for where the jars are. */
function findJars(): { readonly path?: string; readonly reason?: string } {
  if (spawnSync('java', ['-version']).status !== 0) return { reason: 'there is no Java' };
  const list = join(work, 'class-path');
  const args = ['-q', '-B', '-f', join(home, 'pom.xml'), 'dependency:build-classpath', `-Dmdep.outputFile=${list}`];
  const maven = spawnSync('mvn', args, { encoding: 'utf8', timeout: 600_000 });
  if (maven.error !== undefined) return { reason: 'there is no Maven' };
  if (maven.status !== 0)
    return { reason: `Maven did not get Hadoop: ${maven.stdout.split('\n').find((line) => line.includes('ERROR'))}` };
  return { path: readFileSync(list, 'utf8') };
}

async function startCluster(classPath: string): Promise<Addresses> {
  const opened = ['java.lang', 'java.util', 'java.nio'].flatMap((name) => [
    '--add-opens',
    `java.base/${name}=ALL-UNNAMED`,
  ]);
  const args = [...opened, '-Dfile.encoding=UTF-8', '-Xmx512m', '-cp', classPath, join(home, 'Cluster.java'), work];
  // It ends when its standard input does, also when this process is killed.
  const java = spawn('java', args, { cwd: work, stdio: ['pipe', 'pipe', 'pipe'] });
  tap.teardown(async () => {
    java.stdin.end();
    await new Promise((resolve) => void java.on('close', resolve));
  });
  const said: string[] = [];
  createInterface(java.stderr).on('line', (line) => said.push(line));
  for await (const line of createInterface(java.stdout)) {
    if (!line.startsWith('READY ')) continue;
    java.stdout.resume();
    return Addresses.parse(JSON.parse(line.slice('READY '.length)));
  }
  throw new Error(`the cluster did not start:\n${said.slice(-20).join('\n')}`);
}

const user = process.env['USER'] ?? 'root';
for (const name of ['HADOOP_CONF_DIR', 'HADOOP_USER_NAME', 'HADOOP_TOKEN']) delete process.env[name];
let folders = 0;

function place(server: string, endpoint: string, replaces: boolean): HdfsPlace {
  process.env['WEBHDFS_ENDPOINT'] = endpoint;
  const folder = `/tests/${folders++}`;
  return {
    folder: `hdfs://${user}@cluster${folder}`,
    asStranger: `hdfs://stranger@cluster${folder}`,
    raw: (url, operation) =>
      new URL(`http://${server}/webhdfs/v1${new URL(url).pathname}?user.name=${user}&${operation}`),
    replaces,
  };
}

const { standby, active, httpfs } = cluster ?? { standby: '', active: '', httpfs: '' };
hdfsStories('Hadoop', async () => place(active, `${standby},${active}`, true), { skip });
hdfsStories('Hadoop, in JSON', async () => place(active, `http://${active}?noredirect=true`, true), { skip });
hdfsStories("Hadoop's HttpFS", async () => place(httpfs, httpfs, false), { skip });
hdfsStories("Hadoop's HttpFS, in JSON", async () => place(httpfs, `http://${httpfs}?noredirect=true`, false), { skip });

test("a token that Hadoop's HttpFS gave stands for its user, until it is taken back", { skip }, async (t) => {
  const ask = async (method: string, query: string): Promise<string> =>
    (await fetch(`http://${httpfs}/webhdfs/v1/?user.name=${user}&${query}`, { method })).text();
  const { Token }: { Token: { urlString: string } } = JSON.parse(
    await ask('GET', `op=GETDELEGATIONTOKEN&renewer=${user}`),
  );
  process.env['WEBHDFS_ENDPOINT'] = httpfs;
  process.env['HADOOP_TOKEN'] = Token.urlString;
  t.teardown(() => delete process.env['HADOOP_TOKEN']);
  await store.write('hdfs://nobody@cluster/tests/token', Buffer.from('x'));
  t.equal((await read('hdfs://nobody@cluster/tests/token')).toString(), 'x');
  await ask('PUT', `op=CANCELDELEGATIONTOKEN&token=${Token.urlString}`);
  const error: unknown = await store.stat('hdfs:///tests/token').catch((reason: unknown) => reason);
  t.match(error, { code: 'E_EXPIRED', message: /can't be found in cache.*HADOOP_TOKEN/ });
  t.notMatch(error, { message: Token.urlString });
});

test('a file that Hadoop itself wrote is read', { skip }, async (t) => {
  process.env['WEBHDFS_ENDPOINT'] = active;
  const written = Buffer.from(Array.from({ length: 3_000_000 }, (_, i) => (i * 7) & 255));
  t.ok((await read(`webhdfs://${user}@${active}/由 Hadoop 写.bin`)).equals(written));
});

test('what a namenode says that stands by is passed on when there is no other', { skip }, async (t) => {
  process.env['MINDTS_RETRY_WAIT_MS'] = '1';
  await t.rejects(store.stat(`webhdfs://${user}@${standby}/tests`), { code: 'E_STANDBY', message: /WEBHDFS_ENDPOINT/ });
});
