// Addresses of objects in a bucket that anybody may fetch for a while: the request is signed beforehand, and the signature stands in
// its query (AWS Signature Version 4). Nothing is sent for that. It opens one object for reading, and nothing else.
import type { S3Client } from '@aws-sdk/client-s3';

/** The signed address of a key of the bucket, good for so many seconds. */
export type AddressOf = (key: string, seconds: number) => Promise<string>;

/** The body of a GET is not there to be signed. */
const NO_BODY = 'UNSIGNED-PAYLOAD';

export interface PresignedBucket {
  readonly bucket: string;
  /** Absent: Amazon's. */
  readonly endpoint?: string | undefined;
}

/** Signs with the credentials that `client` uses itself, whenever they change. */
export async function presigner(client: S3Client, { bucket, endpoint }: PresignedBucket): Promise<AddressOf> {
  const { SignatureV4 } = await import('@smithy/signature-v4');
  const { credentials, region, sha256 } = client.config;
  // S3 is the one service whose paths are not escaped twice.
  const signer = new SignatureV4({ credentials, region, sha256, service: 's3', uriEscapePath: false });
  return async (key, seconds) => {
    const base = endpoint ?? `https://${bucket}.s3.${await region()}.amazonaws.com`;
    const { protocol, host, hostname, port, pathname } = new URL(base);
    const folder = endpoint === undefined ? '' : `${pathname.replace(/\/$/, '')}/${bucket}`;
    const path = `${folder}/${key.split('/').map(encodeURIComponent).join('/')}`;
    const { query } = await signer.presign(
      {
        method: 'GET',
        protocol,
        hostname,
        ...(port === '' ? {} : { port: Number(port) }),
        path,
        query: {},
        headers: { host, 'x-amz-content-sha256': NO_BODY },
      },
      { expiresIn: seconds },
    );
    return `${protocol}//${host}${path}?${new URLSearchParams(query as Record<string, string>)}`;
  };
}
