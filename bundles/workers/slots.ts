// Memory that all threads share, cut into slots that are used again. Workers get all of it once, when they start: sending a
// shared buffer with every job costs more than filling it. A slot belongs to the worker from the job to its answer.

export interface Slot {
  /** Where it begins in the shared memory. */
  readonly at: number;
  readonly bytes: Uint8Array;
}

/** A rack of equal slots. */
export interface SlotRack {
  take(): Slot;
  give(slot: Slot): void;
}

/** One shared memory with several racks in it. */
export function sharedRacks(racks: readonly { readonly slots: number; readonly slotBytes: number }[]): {
  readonly memory: SharedArrayBuffer;
  readonly racks: readonly SlotRack[];
} {
  const memory = new SharedArrayBuffer(racks.reduce((sum, { slots, slotBytes }) => sum + slots * slotBytes, 0));
  let at = 0;
  return {
    memory,
    racks: racks.map(({ slots, slotBytes }) => {
      const free: Slot[] = [];
      for (let slot = 0; slot < slots; slot++, at += slotBytes) {
        free.push({ at, bytes: new Uint8Array(memory, at, slotBytes) });
      }
      return rackOf(free);
    }),
  };
}

function rackOf(free: Slot[]): SlotRack {
  return {
    take() {
      const slot = free.pop();
      if (!slot) throw new RangeError('more slots are taken than were planned');
      return slot;
    },
    give: slot => void free.push(slot),
  };
}
