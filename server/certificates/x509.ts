// The library for certificates, after what it needs to be loaded before it.
import 'reflect-metadata';

export * from '@peculiar/x509';
