// What backup, verification and restoring tell of how far they are.

export interface BackupProgress {
  /** Rows of the database so far. */
  readonly onRows?: (rows: number) => void;
  readonly onObject?: (done: number, total: number) => void;
}
