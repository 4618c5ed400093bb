// One directory, packed as a release of one component.
import { type PackedRelease, type PackInput, packRelease } from '../../bundles/index.ts';

export interface PackChoice extends Partial<Pick<PackInput, 'base' | 'threads'>> {
  readonly rootfs?: boolean;
  readonly xattrs?: boolean;
}

export function packTree(
  directory: string,
  put: PackInput['put'],
  { rootfs = false, xattrs = false, ...change }: PackChoice = {},
): Promise<PackedRelease> {
  return packRelease({
    product: 'cloud',
    version: '1.0.0',
    productKey: Buffer.alloc(32, 1),
    components: [{ name: 'tree', directory, rootfs, xattrs, digests: [] }],
    base: [],
    put,
    ...change,
  });
}
