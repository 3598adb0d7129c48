import type { BusyMode, Inputs, Kind, OnBusy } from "./kinds/kind";

/** The first pause between two looks; each is longer than the one before. */
const firstPauseMilliseconds = 100;
const longestPauseMilliseconds = 1000;
/** Looking for holders reads all of /proc: of the time, a twentieth goes into it, and more only where it is slow. */
const pausePerLook = 20;
const longestPauseForLookMilliseconds = 5000;

/**
 * What is asked for where a process holds an object of the kind.
 * @param override of this run; for kinds with the input `onBusy`.
 */
export function onBusyOf(kind: Kind, inputs: Inputs, override: BusyMode | undefined): OnBusy {
  const asked = kind.onBusy(inputs);
  return override !== undefined && "onBusy" in kind.inputs ? { ...asked, mode: override } : asked;
}

/** What follows where a process stands in the way, for a plan. */
export function consequence({ mode, seconds }: OnBusy, forced: string, refused: string): string {
  if (mode === "force") return forced;
  return mode === "wait" ? `up to ${seconds} s will be spent waiting for that to end` : refused;
}

/** What follows where a process blocks a change, for a plan. @param text the difference in words. */
export function blockedChange(text: string, reason: string | undefined, asked: OnBusy): string {
  const follows = consequence(
    asked,
    "it will be deleted under that process and made anew",
    "this will be refused until that process ends",
  );
  return `${text}, and it cannot be changed while the interface is ${reason ?? "held"}: ${follows}`;
}

/** How long one piece of work waits for processes to let go. */
export class Patience {
  private began: number | undefined;
  private ended: number | undefined;
  private looking = performance.now();
  private pause = firstPauseMilliseconds;

  /**
   * @param tell called once, when the wait begins.
   * @param interrupted whether the run is to end, and no wait should go on.
   */
  constructor(
    private readonly asked: OnBusy,
    private readonly tell: (message: string) => void = () => {},
    private readonly interrupted: () => boolean = () => false,
  ) {}

  get forced(): boolean {
    return this.asked.mode === "force";
  }

  get waits(): boolean {
    return this.asked.mode === "wait";
  }

  /**
   * Whether to look again, after a pause; false where nobody waits, or not any longer.
   * @param reason what stands in the way: `tap "vmtap0" (…) is held by pid 4711 (…) of alice (uid 1000)`.
   */
  async again(reason: string): Promise<boolean> {
    if (!this.waits) return false;
    const now = performance.now();
    if (this.began === undefined) {
      this.began = now;
      this.tell(`${reason}: waiting up to ${this.asked.seconds} s for that to end`);
    }
    const until = this.began + this.asked.seconds * 1000;
    // The last look, which may be slow, is no waiting any more.
    this.ended = Math.min(now, until);
    if (now >= until || this.interrupted()) return false;
    const forLook = Math.min(pausePerLook * (now - this.looking), longestPauseForLookMilliseconds);
    const pause = Math.max(this.pause, forLook);
    this.pause = Math.min(this.pause * 1.5, longestPauseMilliseconds);
    await this.sleep(Math.min(pause, until - now));
    this.looking = performance.now();
    return true;
  }

  /** Sleeps, but looks up now and then whether the run is to end. */
  private async sleep(milliseconds: number): Promise<void> {
    const until = performance.now() + milliseconds;
    for (let left = milliseconds; left > 0 && !this.interrupted(); left = until - performance.now()) {
      await new Promise((resolve) => setTimeout(resolve, Math.min(left, longestPauseMilliseconds)));
    }
  }

  /** ` (after 60 s of waiting)`, or nothing where nobody waited; for messages. */
  waited(): string {
    if (this.began === undefined) return "";
    const seconds = ((this.ended ?? this.began) - this.began) / 1000;
    const how = this.interrupted() ? "the run was interrupted after" : "after";
    return ` (${how} ${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s of waiting)`;
  }
}

/** Waits for nobody, and spares nobody: for what this very run made. */
export const noPatience = new Patience({ mode: "force", seconds: 0 });
