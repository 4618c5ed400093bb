// Builds the console into `dist`, which the agent serves. No CDN, no inline code: the page works behind an air gap and
// under a Content-Security-Policy without exceptions.
import { defineConfig } from 'vite';
import solid from 'vite-plugin-solid';

export default defineConfig({
  root: import.meta.dirname,
  logLevel: 'warn',
  plugins: [solid()],
  build: {
    outDir: 'dist',
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: 'es2022',
  },
});
