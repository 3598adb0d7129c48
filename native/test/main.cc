// Runs every test in a network namespace and a mount namespace made for it, and counts descriptors around it.
#include <dirent.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <cstdio>
#include <cstring>
#include <vector>

#include "check.h"

namespace tuntap::test {
namespace {

struct Test {
  const char* name;
  void (*body)();
};

std::vector<Test>& tests() {
  static std::vector<Test> all;
  return all;
}

int open_descriptors() {
  DIR* const listing = ::opendir("/proc/self/fd");
  int count = -1;  // the listing's own
  while (const dirent* entry = ::readdir(listing)) {
    if (entry->d_name[0] != '.') ++count;
  }
  ::closedir(listing);
  return count;
}

/// A /run of our own, so that nothing here is seen by the host, and a fresh network namespace.
bool isolate() {
  return ::unshare(CLONE_NEWNET | CLONE_NEWNS) == 0 &&
         ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
         ::mount("tmpfs", "/run", "tmpfs", 0, nullptr) == 0;
}

std::string run(const Test& test) {
  const int before = open_descriptors();
  try {
    test.body();
  } catch (const Failure& failure) {
    return failure.text;
  } catch (const SystemError& error) {
    return "SystemError: " + error.operation + " " + error.path + ": " + std::strerror(error.number);
  }
  const int leaked = open_descriptors() - before;
  return leaked == 0 ? "" : std::to_string(leaked) + " descriptors leaked";
}

int main() {
  int passed = 0, failed = 0, skipped = 0;
  for (const Test& test : tests()) {
    std::string problem;
    try {
      if (!isolate()) throw Skip{"needs root"};
      problem = run(test);
    } catch (const Skip& skip) {
      std::printf("skip %s: %s\n", test.name, skip.reason.c_str());
      ++skipped;
      continue;
    }
    ++(problem.empty() ? passed : failed);
    std::printf("%s %s%s%s\n", problem.empty() ? "ok  " : "FAIL", test.name, problem.empty() ? "" : ": ",
                problem.c_str());
    std::fflush(stdout);
  }
  std::printf("%d passed, %d failed, %d skipped\n", passed, failed, skipped);
  return failed == 0 ? 0 : 1;
}

}  // namespace

Registration::Registration(const char* name, void (*body)()) { tests().push_back({name, body}); }

}  // namespace tuntap::test

int main() { return tuntap::test::main(); }
