// The golden vectors of the bundle format, read by the production code.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { cut } from '../../../bundles/chunker.ts';
import { openManifest } from '../../../bundles/open.ts';
import { openSealedIndex, openSegment } from '../../../bundles/seal.ts';
import { unpackPlan } from '../../../bundles/unpack-plan.ts';
import { entitlementPublicKey, pskOf, unwrapContentKey, type Wrap } from '../../../signing/index.ts';
import { rejectsWith } from '../../support/errors.ts';
import { contentsOf } from '../../support/manifest-contents.ts';
import { fixedBytes } from '../../support/release-tree.ts';
import type { Vector, VectorManifest } from '../../support/vectors.ts';

const DIRECTORY = fileURLToPath(new URL('../../vectors/bundle', import.meta.url));

for (const name of readdirSync(DIRECTORY).sort()) {
  const vector = JSON.parse(readFileSync(join(DIRECTORY, name), 'utf8')) as Vector;
  test(`${name.replace('.json', '')}: ${vector.what}`, async () => {
    const { error } = vector;
    if (error === undefined) await carryOut(vector);
    else await rejectsWith(error, () => carryOut(vector));
  });
}

async function carryOut(vector: Vector): Promise<void> {
  switch (vector.operation) {
    case 'open-segment': {
      const { name, key, object, plainSize, plain } = vector;
      const opened = openSegment(name, Buffer.from(key, 'hex'), Buffer.from(object, 'base64'), plainSize);
      assert.equal(opened.toString('base64'), plain);
      return;
    }
    case 'open-manifest': {
      const { name, key, object } = vector;
      const manifest = openManifest(name, Buffer.from(key, 'hex'), Buffer.from(object, 'base64'));
      unpackPlan(manifest);
      assert.deepEqual(contentsOf(manifest, 'base64'), vector.manifest && filled(vector.manifest));
      return;
    }
    case 'open-index': {
      const { name, key, object, plain } = vector;
      const opened = openSealedIndex(name, Buffer.from(key, 'hex'), Buffer.from(object, 'base64'));
      assert.equal(opened.toString('base64'), plain);
      return;
    }
    case 'cut': {
      const { seed, length, lengths } = vector;
      const data = seed === '' ? Buffer.alloc(length) : fixedBytes(seed, length);
      const found: number[] = [];
      for (let at = 0; at < length; at += found.at(-1) as number) found.push(cut(data.subarray(at)));
      assert.deepEqual(found, lengths);
      return;
    }
    case 'derive': {
      const secret = Buffer.from(vector.secret, 'hex');
      assert.equal(await entitlementPublicKey(secret), vector.publicKey);
      assert.equal(pskOf(secret).toString('hex'), vector.psk);
      return;
    }
    case 'unwrap': {
      const { secret, license, release, wrap, contentKey } = vector;
      const opened = await unwrapContentKey(Buffer.from(secret, 'hex'), wrap as Wrap, { license, release });
      assert.equal(opened.toString('hex'), contentKey);
    }
  }
}

/** A vector leaves out what an entry does not have. */
function filled(manifest: VectorManifest) {
  const components = manifest.components.map(component => ({
    ...component,
    entries: component.entries.map(entry => ({ sparse: false, xattrs: [], ...entry })),
  }));
  return { ...manifest, components };
}
