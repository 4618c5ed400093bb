// What Stryker changes, and the tests that have to notice. `run.ts` runs it and judges what it reports.

const GUARDS = ['trust', 'checks', 'offline-snapshot', 'thresholds', 'delegations', 'lookup', 'policy'];

/** In memory, without a network: two seconds for all of them, and they run once for each mutant. */
const TESTS = [
  'delegations',
  'refusals',
  'trust-core',
  'rotation',
  'whose-signatures',
  'trust',
  'freeze-and-rollback',
  'full-format',
  'stolen-keys',
  'mix-and-match',
  'odd-metadata',
  'bounds',
  'cut-off',
];

export default {
  mutate: GUARDS.map(name => `signing/${name}.ts`),
  testRunner: 'command',
  commandRunner: {
    command: [
      'node --disable-warning=ExperimentalWarning --import=./test/mutation/first-failure.js',
      '--test --test-isolation=none --test-reporter=dot',
      ...TESTS.map(name => `test/unit/signing/${name}.test.ts`),
    ].join(' '),
  },
  concurrency: 2,
  /** On top of one and a half times what the tests need: a mutant that goes round in circles is dead too. */
  timeoutMS: 10_000,
  // Copies lie inside of the project, so that packages are found from there.
  tempDirName: 'test/.artifacts/mutation',
  symlinkNodeModules: false,
  ignorePatterns: ['agent', 'airgap', 'bundles', 'dist', 'docs', 'server', 'tsconfig.json', '.demo', '.artifacts'],
  reporters: ['json', 'progress-append-only'],
  jsonReporter: { fileName: 'test/.artifacts/mutation.json' },
  allowConsoleColors: false,
};
