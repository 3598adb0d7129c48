#include "programs.h"

#include <sys/wait.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "check.h"
#include "namespace.h"

using namespace tuntap;
using namespace tuntap::test;

static constexpr Program shell{"sh", {"/nowhere/sh", "/bin/sh"}};
static constexpr Program cat{"cat", {"/bin/cat", "/usr/bin/cat"}};

static ProgramResult script(const char* text, const ProgramLimits& limits = {}) {
  return run_program(std::nullopt, shell, {"-c", text}, "", limits);
}

TEST(a_program_gives_what_it_prints_and_how_it_ends) {
  const ProgramResult result = script("echo out; echo err >&2; exit 7");
  CHECK_EQUAL(result.output, "out\n");
  CHECK_EQUAL(result.errors, "err\n");
  CHECK_EQUAL(result.status, 7);
  CHECK_EQUAL(script("kill -9 $$").status, 128 + SIGKILL);
}

TEST(a_program_gets_all_of_its_input_and_gives_all_of_it_back) {
  const std::string input(5'000'000, 'x');
  CHECK(run_program(std::nullopt, cat, {}, input).output == input);
  CHECK_EQUAL(run_program(std::nullopt, cat, {"/dev/stdin"}, "y").output, "y");
}

TEST(a_program_has_an_environment_and_signals_of_its_own) {
  ::setenv("SECRET_OF_THE_TEST", "x", 1);
  ::signal(SIGPIPE, SIG_IGN);
  const std::string environment = script("exec /usr/bin/env").output;
  const std::string ignored = script("grep SigIgn /proc/$$/status").output;
  ::signal(SIGPIPE, SIG_DFL);
  ::unsetenv("SECRET_OF_THE_TEST");
  CHECK(environment.find("SECRET_OF_THE_TEST") == std::string::npos);
  CHECK(environment.find("LC_ALL=C\n") != std::string::npos);
  const auto mask = std::stoull(ignored.substr(ignored.find('\t') + 1), nullptr, 16);
  CHECK_EQUAL(mask & (1U << (SIGPIPE - 1)), 0u);
}

TEST(a_program_inherits_no_descriptors_of_ours) {
  const char list[] = "for n in $(seq 3 30); do [ -e /proc/$$/fd/$n ] && echo $n; done";
  std::string expected;
  FILE* const other = ::popen(list, "re");  // what this process itself was started with
  for (int c = std::fgetc(other); c != EOF; c = std::fgetc(other)) expected += static_cast<char>(c);
  ::pclose(other);
  CHECK_EQUAL(script(list).output, expected);
}

TEST(a_program_that_prints_too_much_or_does_not_end_is_killed) {
  ProgramLimits limits;
  limits.output = 100'000;
  CHECK_EQUAL(error_of([&] { script("while :; do echo more; done", limits); }), EMSGSIZE);
  CHECK_EQUAL(error_of([&] { script("while :; do echo more >&2; done", limits); }), EMSGSIZE);
  limits.milliseconds = 200;
  const auto begin = std::chrono::steady_clock::now();
  CHECK_EQUAL(error_of([&] { script("exec sleep 60", limits); }), ETIMEDOUT);
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(10));
  CHECK(::waitpid(-1, nullptr, WNOHANG) < 0 && errno == ECHILD);
}

TEST(a_program_that_is_in_none_of_its_places_is_missing) {
  constexpr Program missing{"missing", {"/nowhere/one", "/nowhere/two"}};
  try {
    run_program(std::nullopt, missing, {}, "");
    CHECK(false);
  } catch (const SystemError& error) {
    CHECK_EQUAL(error.number, ENOENT);
    CHECK_EQUAL(error.operation, "missing");
    CHECK_EQUAL(error.path, "/nowhere/one, /nowhere/two");
  }
}

TEST(arguments_with_nul_and_input_without_end_are_refused) {
  CHECK_EQUAL(error_of([] { run_program(std::nullopt, cat, {std::string("a\0b", 3)}, ""); }), EINVAL);
  CHECK_EQUAL(error_of([] { run_program(std::nullopt, cat, {}, std::string((16U << 20U) + 1, 'x')); }),
              E2BIG);
}
