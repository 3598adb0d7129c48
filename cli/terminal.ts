/** Everything the command prints goes through here, so that one live line and plain lines do not collide. */
import { printable, printableJson } from "../provider/printable";

type Colour = "red" | "green" | "yellow" | "cyan" | "dim" | "bold";
const codes: Record<Colour, number> = { red: 31, green: 32, yellow: 33, cyan: 36, dim: 2, bold: 1 };
/** What paint writes, apart from the text. */
const paint = new RegExp(`(\u001b\\[(?:0|${Object.values(codes).join("|")})m)`);
const frames = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];

export class Terminal {
  /** Can a question be asked? */
  readonly interactive: boolean;
  /** Is there a line that may be rewritten? */
  readonly live: boolean;
  readonly #colour: boolean;
  readonly #write = process.stdout.write.bind(process.stdout);
  #status: (() => string) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #drawn = false;
  #frame = 0;
  /** What the program printed without a newline. */
  #rest = "";

  /** With `json`, words go to stderr: stdout is for the one object. */
  constructor(readonly json: boolean) {
    const screen = process.stdout.isTTY === true && process.env.TERM !== "dumb";
    this.interactive = !json && process.stdin.isTTY === true && process.stdout.isTTY === true;
    this.live = !json && screen;
    this.#colour = this.live && !process.env.NO_COLOR;
  }

  paint(colour: Colour, text: string): string {
    return this.#colour ? `\u001b[${codes[colour]}m${text}\u001b[0m` : text;
  }

  /** A line of the report. */
  say(text = ""): void {
    this.#line(presentable(text));
  }

  #line(text: string): void {
    this.#erase();
    if (this.json) process.stderr.write(`${text}\n`);
    else this.#write(`${text}\n`);
    this.#draw();
  }

  /** A line about the work itself: what is awaited, what went wrong. */
  note(text: string): void {
    this.#erase();
    process.stderr.write(`${presentable(text)}\n`);
    this.#draw();
  }

  /** The one object of --json; resolves when it is written. */
  object(value: unknown): Promise<void> {
    return new Promise((done) => {
      this.#write(`${printableJson(value)}\n`, () => done());
    });
  }

  /** Shows a line that changes while work goes on; without a live screen it shows nothing. */
  status(text: (() => string) | undefined): void {
    this.#erase();
    this.#status = this.live ? text : undefined;
    clearInterval(this.#timer);
    if (!this.#status) return;
    this.#timer = setInterval(() => {
      this.#frame = (this.#frame + 1) % frames.length;
      this.#erase();
      this.#draw();
    }, 100);
    this.#timer.unref();
    this.#draw();
  }

  /** What the program prints with console.log becomes a line of ours, so that --json stays one object. */
  captureStdout(): void {
    process.stdout.write = ((chunk: string | Uint8Array, ...others: unknown[]) => {
      const lines = (this.#rest + Buffer.from(chunk as Uint8Array).toString("utf8")).split("\n");
      this.#rest = lines.pop() ?? "";
      // Colours and all: it is the user's own.
      for (const line of lines) this.#line(line);
      const done = others.find((other) => typeof other === "function") as (() => void) | undefined;
      done?.();
      return true;
    }) as typeof process.stdout.write;
  }

  /** Ends the line that the program began and left open. */
  endLine(): void {
    if (this.#rest) this.#line(this.#rest);
    this.#rest = "";
  }

  releaseStdout(): void {
    this.endLine();
    process.stdout.write = this.#write as typeof process.stdout.write;
  }

  #erase(): void {
    if (this.#drawn) this.#write("\r\u001b[2K");
    this.#drawn = false;
  }

  #draw(): void {
    if (!this.#status) return;
    const width = Math.max(20, (process.stdout.columns || 80) - 3);
    this.#write(`${frames[this.#frame]} ${presentable(this.#status()).slice(0, width)}`);
    this.#drawn = true;
  }
}

/** A text of which a terminal obeys the colours of ours alone. */
export function presentable(text: string): string {
  return text
    .split(paint)
    .map((part, position) => (position % 2 === 0 ? printable(part) : part))
    .join("");
}

/** Seconds for people. */
export function seconds(milliseconds: number): string {
  if (milliseconds < 60_000) return `${(milliseconds / 1000).toFixed(1)} s`;
  return `${Math.floor(milliseconds / 60_000)} min ${Math.round((milliseconds % 60_000) / 1000)} s`;
}
