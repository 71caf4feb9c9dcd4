/* A few requests at a time, in the order they were asked for; equal requests that overlap are sent once. */
export class Pool {
  private running = 0;
  private queue: (() => void)[] = [];
  private shared = new Map<string, { promise: Promise<unknown>; users: number; stop: AbortController }>();
  constructor(readonly width: number) {}

  private async turn<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    if (this.running >= this.width) await new Promise<void>((go) => this.queue.push(go));
    else this.running++;
    try {
      signal.throwIfAborted();
      return await work();
    } finally {
      const next = this.queue.shift();
      if (next) next();
      else this.running--;
    }
  }

  /* The work is aborted when everyone who asked for it has gone. */
  async run<T>(key: string, work: (signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T> {
    signal.throwIfAborted();
    let entry = this.shared.get(key);
    if (!entry) {
      const stop = new AbortController();
      const promise = this.turn(() => work(stop.signal), stop.signal).finally(() => {
        if (this.shared.get(key)?.promise === promise) this.shared.delete(key);
      });
      promise.catch(() => undefined);
      entry = { promise, users: 0, stop };
      this.shared.set(key, entry);
    }
    const mine = entry;
    mine.users++;
    return await new Promise<T>((resolve, reject) => {
      const leave = () => {
        if (--mine.users === 0) {
          if (this.shared.get(key) === mine) this.shared.delete(key);
          mine.stop.abort();
        }
        reject(signal.reason as Error);
      };
      signal.addEventListener("abort", leave, { once: true });
      mine.promise.then(resolve as (v: unknown) => void, reject).finally(() => {
        signal.removeEventListener("abort", leave);
        mine.users--;
      });
    });
  }
}
