// Server-side request forgery by spelling: whatever way an address is written, a webhook goes to public ones only.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { mayReach, parseNetworks, requireUrl } from '../../../../server/webhooks/networks.ts';
import { rejectsWith } from '../../../support/errors.ts';

const PUBLIC_ONLY = parseNetworks([]);

const refuses = async (url: string, networks = PUBLIC_ONLY) => {
  await rejectsWith('webhook-refused', async () => requireUrl(url, networks)).catch(error => {
    throw new Error(url, { cause: error });
  });
};

const SPELLINGS: Readonly<Record<string, readonly string[]>> = {
  'this machine': [
    '127.0.0.1',
    '127.1',
    '127.255.255.254',
    '2130706433',
    '0x7f000001',
    '0x7f.0.0.1',
    '017700000001',
    '0177.0.0.01',
    '0',
    '0.0.0.0',
    '127.0.0.1.',
    '①②⑦.⓪.⓪.①',
    '127。0。0。1',
    '%31%32%37.0.0.1',
    '[::1]',
    '[::]',
    '[0:0:0:0:0:0:0:1]',
    '[::ffff:127.0.0.1]',
    '[::ffff:7f00:1]',
    '[::127.0.0.1]',
    '[64:ff9b::127.0.0.1]',
    '[64:ff9b:1::7f00:1]',
    '[2002:7f00:1::]',
    '[2001:0:7f00:1::]',
  ],
  neighbors: [
    '10.0.0.1',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.1.1',
    '0xc0a80101',
    '3232235777',
    '[fc00::1]',
    '[fd12:3456::1]',
    '[fe80::1]',
    '[fec0::1]',
    '[::ffff:10.0.0.1]',
    '[::ffff:c0a8:101]',
    '[64:ff9b::c0a8:101]',
  ],
  'the metadata of a cloud': [
    '169.254.169.254',
    '0xa9fea9fe',
    '2852039166',
    '0251.0376.0251.0376',
    '[::ffff:169.254.169.254]',
    '[64:ff9b::a9fe:a9fe]',
    '[fd00:ec2::254]',
    '[fd20:ce::254]',
    '100.100.100.200',
    '192.0.0.192',
    '168.63.129.16',
  ],
  'nobody, or many': [
    '100.64.0.1',
    '192.0.2.1',
    '198.18.0.1',
    '198.51.100.1',
    '203.0.113.1',
    '224.0.0.1',
    '239.255.255.250',
    '240.0.0.1',
    '255.255.255.255',
    '[ff02::1]',
    '[2001:db8::1]',
    '[100::1]',
    '[5f00::1]',
  ],
};

for (const [where, hosts] of Object.entries(SPELLINGS)) {
  test(`${where}: refused in every spelling`, async () => {
    for (const host of hosts) await refuses(`https://${host}/hook`);
  });
}

test('public addresses and names are taken, and written in one way', () => {
  assert.equal(requireUrl('https://hooks.example.com/a?b=c', PUBLIC_ONLY), 'https://hooks.example.com/a?b=c');
  assert.equal(requireUrl('HTTPS://Hooks.Example.COM:443', PUBLIC_ONLY), 'https://hooks.example.com/');
  for (const host of ['8.8.8.8', '134744072', '1.1.1.1', '172.32.0.1', '[2606:4700::1111]', 'example.com:8443']) {
    requireUrl(`https://${host}/hook`, PUBLIC_ONLY);
  }
});

test('other schemes, other ports, users and fragments are refused', async () => {
  for (const url of [
    'http://hooks.example.com/',
    'ftp://hooks.example.com/',
    'file:///etc/passwd',
    'gopher://hooks.example.com/',
    'https://hooks.example.com:22/',
    'https://hooks.example.com:6379/',
    'https://hooks.example.com:80/',
    'https://user@hooks.example.com/',
    'https://user:password@hooks.example.com/',
    'https://hooks.example.com/#part',
    'hooks.example.com',
    `https://hooks.example.com/${'x'.repeat(3000)}`,
    '',
  ]) {
    await refuses(url);
  }
});

test('what the operator allows is reached, by any port and without TLS; public addresses are as before', async () => {
  const networks = parseNetworks(['127.0.0.0/8', 'fd12::/32']);
  requireUrl('http://127.0.0.1:9000/', networks);
  requireUrl('http://[fd12::7]:9000/', networks);
  for (const url of ['https://10.0.0.1/', 'http://8.8.8.8/', 'https://8.8.8.8:22/', 'https://[fd13::1]/']) {
    await refuses(url, networks);
  }
  const named = new URL('http://inside.example:9000/');
  assert.ok(mayReach(named, '127.0.0.9', networks));
  assert.ok(!mayReach(named, '8.8.8.8', networks), 'plain HTTP stays inside');
  for (const list of [['10.0.0.1'], ['10.0.0.0/33'], ['name/8'], ['']]) {
    await rejectsWith('config-invalid', async () => parseNetworks(list));
  }
});

test('what DNS answers is judged as what is written: names for this machine, zones, and no address at all', () => {
  const url = new URL('https://rebind.example/');
  for (const address of ['127.0.0.1', '::1', '::ffff:127.0.0.1', 'fe80::1%eth0', '2606:4700::1%lo', 'localhost', '']) {
    assert.ok(!mayReach(url, address, PUBLIC_ONLY), address);
  }
  assert.ok(mayReach(url, '93.184.215.14', PUBLIC_ONLY));
});

test('no IPv4 address is reached through IPv6', () => {
  const url = new URL('https://any.example/');
  const part = fc.integer({ min: 0, max: 255 });
  fc.assert(
    fc.property(fc.tuple(part, part, part, part), fc.constantFrom('::ffff:', '::', '64:ff9b::'), (parts, prefix) => {
      assert.ok(!mayReach(url, `${prefix}${parts.join('.')}`, PUBLIC_ONLY));
    }),
  );
});
