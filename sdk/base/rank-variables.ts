/** How what starts ranks names its variables, where a name is not the whole story. */

/** The environment of a process. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** A variable's value; an empty one counts as not set. */
export function variable(env: Environment, name: string): string | undefined {
  const value = env[name]?.trim();
  return value === '' ? undefined : value;
}

/**
 * The name of a variable of OpenPAI's that has the current task role's name in it. OpenPAI has spelled that as it stands, and
 * later in lower case with all but letters and digits left out.
 *
 * @example
 * const env = { PAI_CURRENT_TASK_ROLE_NAME: 'My_Worker', PAI_TASK_ROLE_TASK_COUNT_myworker: '2' };
 * paiName(env, (role) => `PAI_TASK_ROLE_TASK_COUNT_${role}`); // 'PAI_TASK_ROLE_TASK_COUNT_myworker'
 */
export function paiName(env: Environment, nameFor: (role: string) => string): string | undefined {
  const role = variable(env, 'PAI_CURRENT_TASK_ROLE_NAME');
  if (role === undefined) return undefined;
  const names = [nameFor(role), nameFor(role.toLowerCase().replace(/[^a-z0-9]/g, ''))];
  return names.find((name) => variable(env, name) !== undefined);
}

/**
 * The task of a Volcano job that this pod belongs to, as its variables `VC_<TASK>_HOSTS` and `VC_<TASK>_NUM` spell it. Every
 * pod has those of all tasks: where there are several, the own one is that whose hosts this host is among.
 *
 * @example
 * volcanoTask({ HOSTNAME: 'j-ps-0', VC_PS_HOSTS: 'j-ps-0.j', VC_WORKER_HOSTS: 'j-worker-0.j,j-worker-1.j' }); // 'PS'
 */
export function volcanoTask(env: Environment): string | undefined {
  const tasks = Object.keys(env).flatMap((name) => /^VC_(.+)_(?:HOSTS|NUM)$/.exec(name)?.[1] ?? []);
  const own = tasks.find((task) => volcanoHosts(env, task).some((host) => host.split('.')[0] === env['HOSTNAME']));
  return own ?? (new Set(tasks).size === 1 ? tasks[0] : undefined);
}

/** The hosts of a Volcano job's task, in the order of their indices. */
export function volcanoHosts(env: Environment, task: string): readonly string[] {
  const hosts = variable(env, `VC_${task}_HOSTS`)?.split(',') ?? [];
  return hosts.map((host) => host.trim()).filter((host) => host !== '');
}

/**
 * What Slurm writes of nodes one after the other, each on its own: `2(x3),1` is 2, 2, 2, 1.
 *
 * @example
 * slurmCounts('2(x3),1'); // [2, 2, 2, 1]
 */
export function slurmCounts(text: string): readonly number[] {
  return text.split(',').flatMap((part) => {
    const match = /^(\d+)(?:\(x(\d{1,5})\))?$/.exec(part.trim());
    return match === null ? [] : Array<number>(Number(match[2] ?? 1)).fill(Number(match[1]));
  });
}
