/** Slurm's lists of nodes. */

/**
 * The first node of a list.
 *
 * @example
 * firstSlurmNode('gpu[03-04,7],login'); // 'gpu03'
 */
export function firstSlurmNode(list: string): string | undefined {
  const first = /^(?:\[[^\]]*\]|[^,[\]])+/.exec(list.trim())?.[0];
  return first?.replace(/\[([^\],-]*)[^\]]*\]/g, '$1');
}
