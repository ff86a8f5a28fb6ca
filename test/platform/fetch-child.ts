/** A process of its own that fetches a data set, to be killed: `fetch-child.ts SOURCE.json TO`. */
import { readFileSync } from 'node:fs';
import { fetchDataset } from '../../sdk/platform/fetch-dataset.js';

const [source, to] = process.argv.slice(2);
await fetchDataset(JSON.parse(readFileSync(source, 'utf8')), to);
