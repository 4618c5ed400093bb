// The few ASN.1 values that a PKCS#12 file is built of, as forge's trees. Bytes are `binary` strings, as everywhere in forge.
import forge from 'node-forge';

const { asn1 } = forge;
const { Class, Type } = asn1;

export type Asn1 = forge.asn1.Asn1;

export function sequence(...values: readonly Asn1[]): Asn1 {
  return asn1.create(Class.UNIVERSAL, Type.SEQUENCE, true, [...values]);
}

export function set(value: Asn1): Asn1 {
  return asn1.create(Class.UNIVERSAL, Type.SET, true, [value]);
}

/** `[0] EXPLICIT`. */
export function explicit(value: Asn1): Asn1 {
  return asn1.create(Class.CONTEXT_SPECIFIC, 0, true, [value]);
}

export function octets(bytes: string): Asn1 {
  return asn1.create(Class.UNIVERSAL, Type.OCTETSTRING, false, bytes);
}

export function integer(value: number): Asn1 {
  return asn1.create(Class.UNIVERSAL, Type.INTEGER, false, asn1.integerToDer(value).getBytes());
}

/** An object identifier by the name that forge has for it. */
export function oid(name: string): Asn1 {
  const known = forge.pki.oids[name];
  if (known === undefined) throw new Error(`forge knows no ${name}`);
  return asn1.create(Class.UNIVERSAL, Type.OID, false, asn1.oidToDer(known).getBytes());
}

export const NOTHING = asn1.create(Class.UNIVERSAL, Type.NULL, false, '');

export function encode(value: Asn1): string {
  return asn1.toDer(value).getBytes();
}

/** Throws for anything that is not one whole value. */
export function decode(bytes: Uint8Array): Asn1 {
  return asn1.fromDer(binary(bytes));
}

export function binary(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
}
