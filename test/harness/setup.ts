import { afterEach, beforeEach } from "vitest";
import { Lab } from "./lab";
import { Workspace } from "./workspace";

/** Of the running test: a namespace, and a user's folder. */
export let lab: Lab;
export let workspace: Workspace;

/** Gives every test of a file a namespace and a folder of its own. */
export function useLabAndWorkspace(): void {
  beforeEach(async () => {
    lab = await Lab.open();
    workspace = new Workspace();
  });
  afterEach(async () => {
    workspace.close();
    await lab.close();
  });
}
