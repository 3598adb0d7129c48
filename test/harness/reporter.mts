import { writeSync } from "node:fs";
import type { Reporter, TestCase, TestModule, TestSuite } from "vitest/node";

/**
 * Ends the run with the line `N passed, N failed, N skipped`. Failed are also files that do not load, suites whose
 * set-up fails, errors outside of any test, and traces that the tests left on the host.
 */
export default class Tally implements Reporter {
  private passed = 0;
  private failed = 0;
  private skipped = 0;

  onInit(): void {
    // After everything that other reporters and the global set-up have to say.
    process.once("exit", () => this.print());
  }

  onTestCaseResult(test: TestCase): void {
    const { state } = test.result();
    if (state === "passed") this.passed += 1;
    else if (state === "failed") this.failed += 1;
    else if (state === "skipped") this.skipped += 1;
  }

  onTestSuiteResult(suite: TestSuite): void {
    this.failed += suite.errors().length;
  }

  onTestModuleEnd(module: TestModule): void {
    this.failed += module.errors().length;
  }

  onTestRunEnd(_modules: readonly TestModule[], outside: readonly unknown[]): void {
    this.failed += outside.length;
  }

  private print(): void {
    const failed = this.failed + (globalThis.hostChanged ? 1 : 0);
    writeSync(1, `${this.passed} passed, ${failed} failed, ${this.skipped} skipped\n`);
  }
}
