/** Verdicts of properties whose change does not depend on who holds the object. */

/** Written at any time. */
export const live = { idle: "live", single: "live", multi: "live" } as const;
/** Only making the object anew leads there. */
export const replace = { idle: "replace", single: "replace", multi: "replace" } as const;
