// What lies between an agent and everything else: calls take time, get lost, arrive twice, and their answers get lost.
import type { Chance } from './chance.ts';
import type { Clock } from './clock.ts';

/** A call has arrived and been answered by then, or is given up; nothing of it arrives later. */
export const CALL_TIMEOUT_MS = 5000;

export interface Weather {
  readonly slowestMs: number;
  /** Each is the part of the calls that it happens to. */
  readonly requestsLost: number;
  readonly answersLost: number;
  readonly twice: number;
}

export const CALM: Weather = { slowestMs: 20, requestsLost: 0, answersLost: 0, twice: 0 };

/** Whether what an agent does still counts: a dead one hears nothing, a stopped one hears it later. */
export interface Listener {
  /** Calls `hear` as soon as the agent can hear; never when it is dead. */
  hears(hear: () => void): void;
}

export class Wire {
  weather: Weather = CALM;
  readonly #clock: Clock;
  readonly #chance: Chance;

  constructor(clock: Clock, chance: Chance) {
    this.#clock = clock;
    this.#chance = chance;
  }

  /** For what is carried in sessions: an order can get lost, and never comes twice. */
  once<T>(from: Listener, isCut: () => boolean, arrive: () => T): Promise<T> {
    return this.#send(from, isCut, arrive, 0);
  }

  /** `arrive` runs when the request arrives; what it throws is the answer. Never resolves for an agent that died. */
  call<T>(from: Listener, isCut: () => boolean, arrive: () => T): Promise<T> {
    return this.#send(from, isCut, arrive, this.weather.twice);
  }

  #send<T>(from: Listener, isCut: () => boolean, arrive: () => T, twice: number): Promise<T> {
    const { slowestMs, requestsLost, answersLost } = this.weather;
    const chance = this.#chance;
    return new Promise<T>((resolve, reject) => {
      const giveUp = () => from.hears(() => reject(new Error('no answer')));
      if (isCut() || chance.happens(requestsLost)) return this.#clock.after(CALL_TIMEOUT_MS, giveUp);
      const arrivalMs = chance.between(1, slowestMs);
      if (chance.happens(twice)) this.#clock.after(chance.between(arrivalMs, CALL_TIMEOUT_MS), () => attempt(arrive));
      const isAnswerLost = chance.happens(answersLost);
      this.#clock.after(arrivalMs, () => {
        const answer = attempt(arrive);
        if (isAnswerLost || isCut()) return this.#clock.after(CALL_TIMEOUT_MS - arrivalMs, giveUp);
        this.#clock.after(chance.between(1, slowestMs), () =>
          from.hears(() => ('value' in answer ? resolve(answer.value) : reject(answer.error))),
        );
      });
    });
  }
}

function attempt<T>(arrive: () => T): { readonly value: T } | { readonly error: unknown } {
  try {
    return { value: arrive() };
  } catch (error) {
    return { error };
  }
}
