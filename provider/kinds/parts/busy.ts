import type { BusyMode, InputSchema, Inputs, OnBusy, Problem } from "../kind";

/** What can be done where a process holds what must go. */
export const busyModes = ["fail", "wait", "force"] as const satisfies readonly BusyMode[];

/** Of `busyTimeoutSeconds`. */
const defaultSeconds = 60;
/** A day: whoever waits longer has forgotten that it waits. */
const longestSeconds = 86_400;

export const busyInputs = {
  onBusy: {
    type: "string",
    enum: busyModes,
    default: "fail",
    change: "control",
    description:
      "What to do when a process holds an interface that must be deleted or made anew, or whose single queue blocks a change: `fail` names the process and leaves all as it is, `wait` waits until it is free (see `busyTimeoutSeconds`), `force` pulls the interface from under it. `tuntap up` and `tuntap down` take `--on-busy` instead for one run.",
  },
  busyTimeoutSeconds: {
    type: "integer",
    minimum: 1,
    maximum: longestSeconds,
    change: "control",
    description: `How long \`onBusy: "wait"\` waits, in seconds, before it fails: 1 to ${longestSeconds} (a day). Default: ${defaultSeconds}.`,
  },
} as const satisfies Record<string, InputSchema>;

/** What the inputs ask for. */
export function onBusy(inputs: Inputs): OnBusy {
  return {
    mode: (inputs.onBusy as BusyMode | undefined) ?? "fail",
    seconds: (inputs.busyTimeoutSeconds as number | undefined) ?? defaultSeconds,
  };
}

/** A limit of a wait that is not asked for is no mistake where `--on-busy wait` is used now and then. */
export function busyWarnings({ onBusy: mode, busyTimeoutSeconds }: Inputs): Problem[] {
  if (busyTimeoutSeconds === undefined || mode === "wait") return [];
  return [
    {
      property: "busyTimeoutSeconds",
      message: `busyTimeoutSeconds ${busyTimeoutSeconds} has no effect while \`onBusy\` is ${JSON.stringify(mode ?? "fail")}; set \`onBusy\` to "wait", or take it out unless it is meant for \`--on-busy wait\``,
    },
  ];
}
