// How every benchmark talks: figures beside goals for people, `{rows}` for programs.
import process from 'node:process';

export interface Row {
  readonly name: string;
  readonly figure: number;
  /** The figure is to be at most this. */
  readonly goal: number;
  readonly unit: string;
}

/** Writes `{rows:[{name,figure,goal,unit,holds}]}`, or a table in Markdown. */
export function report(rows: readonly Row[], json: boolean): void {
  const judged = rows.map(row => ({ ...row, figure: rounded(row.figure), holds: row.figure <= row.goal }));
  if (json) {
    process.stdout.write(`${JSON.stringify({ rows: judged })}\n`);
    return;
  }
  const lines = judged.map(({ name, figure, goal, unit, holds }) => [
    name,
    `${figure}`,
    `≤ ${goal}`,
    unit,
    holds ? 'yes' : '**no**',
  ]);
  process.stdout.write(table(['what', 'figure', 'goal', 'unit', 'holds'], lines));
}

/** A table in Markdown. */
export function table(head: readonly string[], lines: readonly (readonly string[])[]): string {
  const row = (cells: readonly string[]) => `| ${cells.map(cell => cell.replaceAll('|', '\\|')).join(' | ')} |\n`;
  return `\n${row(head)}${row(head.map(() => '---'))}${lines.map(row).join('')}`;
}

/** Three significant digits. */
export function rounded(figure: number): number {
  return Number(figure.toPrecision(3));
}
