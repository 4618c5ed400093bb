// What a release is: the file a vendor writes (`release.yaml`) and the signed document that sites read.
import { z } from 'zod';
import { parseStrictJson, sha256Hex, sha256HexSchema } from '../signing/index.ts';
import { bundleError } from './errors.ts';

const name = z.string().regex(/^[a-z0-9][a-z0-9-]{0,63}$/, 'use lower-case letters, digits and hyphens');

/** Three numbers and an optional suffix, as in `5.2.0` or `5.3.0-rc.1`. */
export const versionSchema = z
  .string()
  .regex(/^\d{1,6}\.\d{1,6}\.\d{1,6}(-[0-9A-Za-z.-]{1,64})?$/, 'use a version such as 5.2.0 or 5.3.0-rc.1');

const relativePath = z
  .string()
  .min(1)
  .max(1024)
  .refine(path => !path.startsWith('/') && !path.split('/').includes('..'), 'use a path inside the directory');

/** Kinds of machines, as `uname -m` says them. */
export const hardwareSchema = z.enum(['x86_64', 'aarch64']);

export type Hardware = z.infer<typeof hardwareSchema>;

/** What an upgrade graph is told of a release. */
const upgradeFields = {
  /** What it fixes. */
  cves: z
    .array(z.string().regex(/^CVE-\d{4}-\d{4,19}$/, 'use a number such as CVE-2026-20871'))
    .max(500)
    .optional(),
  /** The oldest agent that can bring a site there. */
  minAgent: versionSchema.optional(),
  /** There is no way back behind it. */
  irreversible: z.boolean().optional(),
};

const sourceFields = {
  directory: z.string().min(1).optional(),
  /** A tar, compressed or not, instead of a directory. */
  archive: z.string().min(1).optional(),
};

const treeFields = {
  /** The tree of a root file system: absolute links mean the tree's own. */
  rootfs: z.boolean().default(false),
  /** Packs extended attributes too. */
  xattrs: z.boolean().default(false),
};

/** A directory of a release. `microos` names the kernel and the initrd that nodes boot; `files` is any other tree. */
const componentSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    name,
    kind: z.literal('microos'),
    ...sourceFields,
    ...treeFields,
    kernel: relativePath,
    initrd: relativePath,
    /** The kind of machine that boots it. */
    hardware: hardwareSchema.default('x86_64'),
  }),
  z.strictObject({
    name,
    kind: z.literal('files'),
    ...sourceFields,
    ...treeFields,
  }),
]);

/** `release.yaml`. Unknown fields are refused, so that a typing error cannot drop a setting. */
export const releaseFileSchema = z
  .strictObject({
    product: name,
    version: versionSchema,
    channel: name,
    notes: z
      .string()
      .max(64 * 1024)
      .default(''),
    ...upgradeFields,
    components: z.array(componentSchema).min(1).max(64),
    /** A bill of materials (CycloneDX, JSON) of the vendor's own, instead of the one made from dpkg's databases. */
    sbom: z.string().min(1).optional(),
    /** An in-toto statement of the vendor's own, instead of the one that the pipeline makes. */
    provenance: z.string().min(1).optional(),
  })
  .refine(file => file.components.every(c => (c.directory === undefined) !== (c.archive === undefined)), {
    path: ['components'],
    message: 'a component has either a directory or an archive',
  })
  .refine(file => new Set(file.components.map(c => c.name)).size === file.components.length, {
    path: ['components'],
    message: 'two components have the same name',
  })
  .refine(file => file.components.filter(c => c.kind === 'microos').length <= 1, {
    path: ['components'],
    message: 'a release has at most one microos component',
  });

export type ReleaseFile = z.infer<typeof releaseFileSchema>;
export type Component = ReleaseFile['components'][number];

/**
 * Checks the content of a `release.yaml` that is already parsed as YAML.
 *
 * @throws `release-file` naming every field that is wrong
 */
export function parseReleaseFile(value: unknown, path: string): ReleaseFile {
  const result = releaseFileSchema.safeParse(value);
  if (result.success) return result.data;
  throw bundleError('release-file', `${path} is not a release file: ${z.prettifyError(result.error)}.`);
}

const fileRefSchema = z.strictObject({ path: relativePath, sha256: sha256HexSchema, length: z.int().nonnegative() });

/** The bootable image of a release: its two files and the digest that a node reports after booting them. */
export const imageSchema = z.strictObject({
  component: name,
  hardware: hardwareSchema,
  kernel: fileRefSchema,
  initrd: fileRefSchema,
  digest: sha256HexSchema,
});

export type Image = z.infer<typeof imageSchema>;

/** The public, signed description of a release: a TUF target that names the sealed manifest. */
export const releaseDocumentSchema = z.object({
  format: z.literal(1),
  product: name,
  version: versionSchema,
  /** Grows by one with every release of a product and channel; a site never installs a smaller one by itself. */
  counter: z.int().positive(),
  createdAt: z.iso.datetime(),
  notes: z.string(),
  ...upgradeFields,
  manifest: z.strictObject({ sha256: sha256HexSchema, length: z.int().positive() }),
  components: z.array(z.strictObject({ name, kind: z.enum(['microos', 'files']) })),
  image: imageSchema.optional(),
  size: z.strictObject({
    files: z.int().nonnegative(),
    plainBytes: z.int().nonnegative(),
    sealedBytes: z.int().nonnegative(),
    segments: z.int().nonnegative(),
  }),
});

export type ReleaseDocument = z.infer<typeof releaseDocumentSchema>;

/** The head of a channel: which releases it offers, oldest first. */
export const channelDocumentSchema = z.object({
  format: z.literal(1),
  product: name,
  channel: name,
  releases: z.array(z.strictObject({ version: versionSchema, counter: z.int().positive() })).max(10_000),
});

export type ChannelDocument = z.infer<typeof channelDocumentSchema>;

/** Names of signed objects inside the repository; the delegated role of a channel owns `<product>/<channel>/...`. */
export const targetPaths = {
  issuers: 'licenses/issuers.json',
  director: 'director/keys.json',
  reports: 'reports/keys.json',
  role: (product: string, channel: string) => `${product}.${channel}`,
  rolePatterns: (product: string, channel: string) => [
    `${product}/${channel}/channel.json`,
    `${product}/${channel}/*/release.json`,
    `${product}/${channel}/*/sbom.json`,
    `${product}/${channel}/*/provenance.json`,
  ],
  /** No channel has an underscore in its name. */
  graphRole: (product: string) => `${product}.upgrade_graph`,
  graph: (product: string) => `${product}/upgrade_graph.json`,
  channel: (product: string, channel: string) => `${product}/${channel}/channel.json`,
  release: (product: string, channel: string, version: string) => `${product}/${channel}/${version}/release.json`,
  sbom: (product: string, channel: string, version: string) => `${product}/${channel}/${version}/sbom.json`,
  provenance: (product: string, channel: string, version: string) => `${product}/${channel}/${version}/provenance.json`,
} as const;

/** The digest of an image: what a node that booted exactly these two files reports. */
export function imageDigest(kernelSha256: string, initrdSha256: string): string {
  return sha256Hex(`kernel ${kernelSha256}\ninitrd ${initrdSha256}\n`);
}

/**
 * Reads a signed JSON document whose bytes are already verified.
 *
 * @throws `document-invalid`
 */
export function parseDocument<T>(schema: z.ZodType<T>, bytes: Uint8Array, what: string): T {
  try {
    return schema.parse(parseStrictJson(bytes));
  } catch (cause) {
    throw bundleError('document-invalid', `The ${what} cannot be read.`, { cause });
  }
}
