// The software bill of materials of a release, CycloneDX 1.6: the Debian packages that its trees say are installed in them.
// A vendor with a better one names it in `release.yaml`.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { LocalRelease } from './release-file.ts';

interface Package {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
}

/** Where dpkg keeps what is installed, below a root. */
const DPKG_STATUS = join('var', 'lib', 'dpkg', 'status');

/** A CycloneDX document; the same release gives the same document. */
export async function billOfMaterials(release: LocalRelease): Promise<object> {
  const components = [];
  for (const { name, kind, directory } of release.components) {
    const packages = installedPackages(await readFile(join(directory, DPKG_STATUS), 'utf8').catch(() => ''));
    components.push({
      type: kind === 'microos' ? 'operating-system' : 'application',
      'bom-ref': name,
      name,
      version: release.version,
      ...(packages.length > 0 ? { components: packages.map(asLibrary) } : {}),
    });
  }
  const { product, version } = release;
  return {
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    metadata: { component: { type: 'platform', 'bom-ref': `${product}@${version}`, name: product, version } },
    components,
  };
}

/** Reads dpkg's database: paragraphs of `Field: value`. */
export function installedPackages(status: string): readonly Package[] {
  const packages: Package[] = [];
  for (const paragraph of status.split(/\n\n+/)) {
    const field = (name: string) => new RegExp(`^${name}: (.+)$`, 'm').exec(paragraph)?.[1];
    const [name, version, architecture] = [field('Package'), field('Version'), field('Architecture')];
    if (!name || !version || !architecture || !field('Status')?.endsWith(' installed')) continue;
    packages.push({ name, version, architecture });
  }
  return packages.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** By its package URL, as vulnerability databases know it. */
function asLibrary({ name, version, architecture }: Package): object {
  const purl = `pkg:deb/debian/${encodeURIComponent(name)}@${encodeURIComponent(version)}?arch=${architecture}`;
  return { type: 'library', 'bom-ref': purl, name, version, purl };
}
