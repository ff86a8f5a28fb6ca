/** What is said of a measurement: whether it met its target, as JSON and as a table. */

/** What is known of a figure before it is measured. */
export interface Facts {
  /** What is measured, for people. */
  readonly title: string;
  readonly unit: string;
  readonly target?: {
    readonly is: '≤' | '≥';
    /** In the figure's unit; with `ofPeer`, as a share of the peer's value. */
    readonly limit: number;
    readonly ofPeer?: true;
    /** It speaks of MNIST; with other data it is not judged. */
    readonly ofMnist?: true;
  };
}

/** What came out, in the figure's unit. */
export interface Measurement {
  readonly value: number;
  /** The same of the peer, where there is one. */
  readonly peer?: number;
  /** What else came out, for people. */
  readonly note?: string;
}

/** A figure as `--json` prints it. */
export interface Result {
  /** null when it could not be measured. */
  readonly value: number | null;
  readonly unit: string;
  readonly peer: number | null;
  /** value / peer */
  readonly ratio: number | null;
  /** In the figure's unit; null when there is none, or it depends on a peer that is not there. */
  readonly target: number | null;
  /** Whether the target is met; null when it cannot be judged. */
  readonly ok: boolean | null;
}

/** A line of the table. */
export interface Row {
  readonly name: string;
  readonly facts: Facts;
  readonly result: Result;
  readonly note?: string | undefined;
}

/** Sets a measurement, where there is one, against its target. */
export function judge(
  { unit, target }: Facts,
  measured: Measurement | undefined,
  { isMnist }: { readonly isMnist: boolean },
): Result {
  const { value = null, peer = null } = measured ?? {};
  const ofPeer = target && peer !== null ? target.limit * peer : null;
  const limit = target?.ofPeer ? ofPeer : (target?.limit ?? null);
  const bound = target?.ofMnist && !isMnist ? null : limit;
  return {
    value: rounded(value),
    unit,
    peer: rounded(peer),
    ratio: rounded(value === null || peer === null ? null : value / peer),
    target: rounded(limit),
    ok: value === null || bound === null ? null : target?.is === '≥' ? value >= bound : value <= bound,
  };
}

/** The results as text, one aligned line for each, `peer` being what they are set beside. */
export function table(rows: readonly Row[], peer = 'PyTorch'): string {
  const head = ['figure', 'value', peer, 'ratio', 'target', 'met', 'what'];
  const lines = [head, ...rows.map((row) => cells(row, peer))];
  const widths = head.map((_, column) => Math.max(...lines.map((line) => line[column].length)));
  return lines
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(widths[column]))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function cells({ name, facts: { title, target }, result, note }: Row, peerName: string): string[] {
  const { value, unit, peer, ratio, ok } = result;
  const amount = (number: number | null): string => (number === null ? '–' : `${number} ${unit}`);
  const goal = target && (target.ofPeer ? `${fraction(target.limit)} of ${peerName}` : amount(target.limit));
  return [
    name,
    amount(value),
    amount(peer),
    ratio === null ? '–' : fraction(ratio),
    target ? `${target.is} ${goal}` : '–',
    ok === null ? '–' : ok ? 'yes' : 'NO',
    note === undefined ? title : `${title} (${note})`,
  ];
}

/** `1/12`, `0.92`, `1.5` */
function fraction(ratio: number): string {
  if (ratio > 0.5 && ratio < 1) return ratio.toFixed(2);
  return ratio < 1 ? `1/${Number((1 / ratio).toFixed(1))}` : ratio.toFixed(1);
}

/** Four digits: more than a timing has. */
function rounded(value: number | null): number | null {
  return value === null ? null : Number(value.toPrecision(4));
}
