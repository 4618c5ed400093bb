// What an operator says to a site in words that are kept: its labels, and the risks that were accepted. A running agent, over its API.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { acceptRiskCommand } from '../../../agent/cli/risk.ts';
import { startAgent } from '../../../agent/main.ts';
import { writeOutlook } from '../../../agent/update/outlook.ts';
import { readSettings } from '../../../agent/update/settings.ts';
import type { Terminal } from '../../../terminal.ts';
import { rejectsWith } from '../../support/errors.ts';
import { offering } from '../../support/offering.ts';
import { freePorts } from '../../support/processes.ts';
import { temporary } from '../../support/temporary.ts';

test('labels and accepted risks are kept over restarts; a risk that the graph does not name is refused', async t => {
  const directory = await temporary(t);
  const service = await offering(['4.0.0']);
  await service.settle(directory, service.site({ connected: false }));
  const nothing = { pointsOfNoReturn: [], sentences: [], heldBack: [], withdrawn: [], rollouts: [] };
  await writeOutlook(directory, { hasGraph: true, risks: ['SlowHeal'], ...nothing });
  const [consolePort, bootPort] = (await freePorts([0, 0])) as [number, number];
  const start = (labels?: Record<string, string>) =>
    startAgent({
      directory,
      host: '127.0.0.1',
      consolePort,
      bootPort,
      clusterUrl: 'http://127.0.0.1:9',
      mirrors: [],
      peers: [],
      checkEveryMs: 3600_000,
      rebootTimeoutMs: 1000,
      agentVersion: '1.0.0',
      ...(labels ? { labels } : {}),
    });
  const results: string[] = [];
  const terminal = { result: (_: unknown, text: string) => results.push(text) } as unknown as Terminal;
  const command = (...words: string[]) =>
    acceptRiskCommand(() => terminal).parseAsync([...words, '--data', directory, '--console-port', `${consolePort}`], {
      from: 'user',
    });

  const agent = await start({ ring: 'early', place: 'north' });
  try {
    await command('SlowHeal');
    await rejectsWith('risk-unknown', () => command('SlowHeel'));
    assert.match(results.join(), /The risk SlowHeal is accepted\./);
    assert.match(agent.state().journal.at(-1)?.text ?? '', /SlowHeal of upgrades was accepted/);
  } finally {
    await agent.close();
  }
  const again = await start({ place: '' });
  try {
    assert.deepEqual(await readSettings(directory), { labels: { ring: 'early' }, acceptedRisks: ['SlowHeal'] });
    await command('SlowHeal', '--undo');
    assert.deepEqual((await readSettings(directory)).acceptedRisks, []);
  } finally {
    await again.close();
  }
});
