// A stranger's TypeScript module: what it says about the types is checked by compiling it, the rest by running it.
import { LeNet5, Model, mnist, type Network, nativeEngine, sgd } from 'mindts';
import train from 'mindts/scripts/train';

const network: Network = LeNet5({ classes: 10 });
const model = new Model({ network, optimizer: sgd({ learningRate: 0.01 }), engine: nativeEngine(), seed: 1 });
console.log(model instanceof Model, typeof mnist, typeof train, network.parameterCount);

// @ts-expect-error a network is no string: were the types lost, this would pass, and so fail
export const wrong: string = network;
