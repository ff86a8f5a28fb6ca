/** Names for the layers of a network in files of other frameworks, where every layer has one that nothing else has. */
import type { Network } from '../nn/network.js';

/**
 * Gives every name but once.
 *
 * @param reserved names that are given already
 * @returns takes the name that is wanted and gives it, with `_` after it until it is new
 * @example
 * const distinct = distinctNames(['input']);
 * [distinct('relu'), distinct('relu'), distinct('input')]; // ['relu', 'relu_', 'input_']
 */
export function distinctNames(reserved: Iterable<string>): (wanted: string) => string {
  const taken = new Set(reserved);
  return (wanted) => {
    let name = wanted;
    while (taken.has(name)) name += '_';
    taken.add(name);
    return name;
  };
}

/** The shapes of a network's parameters by their names. */
export function parameterShapes({ parameters }: Network): ReadonlyMap<string, readonly number[]> {
  return new Map(parameters.map(({ name, shape }) => [name, shape]));
}
