// The version of this product, as package.json has it. Read once; works in a checkout and in the packed product alike.
import { existsSync, readFileSync } from 'node:fs';

export const VERSION: string = read();

function read(): string {
  const beside = new URL('./package.json', import.meta.url);
  const above = new URL('../package.json', import.meta.url);
  return JSON.parse(readFileSync(existsSync(beside) ? beside : above, 'utf8')).version;
}
