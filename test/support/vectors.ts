// The shape of a golden vector: one operation, its inputs, and either what comes out or the code of the error.

interface Common {
  readonly what: string;
  readonly error?: string;
}

/** What a manifest holds. An entry leaves out `sparse` when it is not, and `xattrs` when it has none. */
export interface VectorManifest {
  readonly components: readonly { readonly entries: readonly object[] }[];
}

/** Binary fields: names and keys in hexadecimal, objects and plaintexts in base64. */
export type Vector = Common &
  (
    | {
        readonly operation: 'open-segment';
        readonly name: string;
        readonly key: string;
        readonly plainSize: number;
        readonly object: string;
        readonly plain?: string;
      }
    | {
        readonly operation: 'open-manifest';
        readonly name: string;
        readonly key: string;
        readonly object: string;
        readonly manifest?: VectorManifest;
      }
    | {
        readonly operation: 'open-index';
        readonly name: string;
        readonly key: string;
        readonly object: string;
        readonly plain?: string;
      }
    | { readonly operation: 'cut'; readonly seed: string; readonly length: number; readonly lengths: readonly number[] }
    | { readonly operation: 'derive'; readonly secret: string; readonly publicKey: string; readonly psk: string }
    | {
        readonly operation: 'unwrap';
        readonly secret: string;
        readonly license: string;
        readonly release: string;
        readonly wrap: Record<string, string>;
        readonly contentKey?: string;
      }
  );
