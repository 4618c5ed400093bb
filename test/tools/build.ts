// Compiles what is published: Node strips no types below node_modules, so the package ships JavaScript.
import { execFileSync } from 'node:child_process';
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const DIST = join(ROOT, 'dist');
/** Its package would bring a script that reports installations to others: what the page needs is copied instead. */
const SWAGGER = join(ROOT, 'node_modules', 'swagger-ui-dist');
const CONSOLE = join('agent', 'console', 'dist');

rmSync(DIST, { recursive: true, force: true });
execFileSync(join(ROOT, 'node_modules', '.bin', 'tsc'), ['-p', 'tsconfig.build.json'], { cwd: ROOT, stdio: 'inherit' });
cpSync(join(ROOT, CONSOLE), join(DIST, CONSOLE), { recursive: true });
for (const name of [
  'swagger-ui.css',
  'swagger-ui-bundle.js',
  'swagger-ui-bundle.js.LICENSE.txt',
  'LICENSE',
  'NOTICE',
]) {
  cpSync(join(SWAGGER, name), join(DIST, 'server', 'http', 'swagger-ui', name));
}
