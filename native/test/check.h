// A test is a function with a name; a check that does not hold ends it.
#pragma once

#include <fcntl.h>
#include <sys/resource.h>

#include <sstream>
#include <string>

#include "system.h"

namespace tuntap::test {

struct Failure {
  std::string text;
};
/// What this kernel or user lacks.
struct Skip {
  std::string reason;
};

struct Registration {
  Registration(const char* name, void (*body)());
};

template <typename A, typename B>
void check_equal(const A& actual, const B& expected, const char* what, int line) {
  if (actual == expected) return;
  std::ostringstream text;
  text << "line " << line << ": " << what << " is " << actual << ", expected " << expected;
  throw Failure{text.str()};
}

inline void check(bool holds, const char* what, int line) {
  if (!holds) throw Failure{"line " + std::to_string(line) + ": " + what};
}

/// The errno of the SystemError that `work` throws, 0 if it throws none.
template <typename Work>
int error_of(Work work) {
  try {
    work();
    return 0;
  } catch (const SystemError& error) {
    return error.number;
  }
}

/// Does `work` while this process may open only so many descriptors more.
template <typename Work>
void with_descriptors_left(size_t count, Work work) {
  rlimit usual{};
  check(::getrlimit(RLIMIT_NOFILE, &usual) == 0, "getrlimit", __LINE__);
  rlimit tight = usual;
  tight.rlim_cur = 64;
  check(::setrlimit(RLIMIT_NOFILE, &tight) == 0, "setrlimit", __LINE__);
  {
    std::vector<Descriptor> others;
    do {
      others.emplace_back(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    } while (others.back());
    others.resize(others.size() - 1 - count);  // the last is none
    work();
  }
  check(::setrlimit(RLIMIT_NOFILE, &usual) == 0, "setrlimit", __LINE__);
}

}  // namespace tuntap::test

#define TEST(name)                                                          \
  static void name();                                                       \
  static const tuntap::test::Registration registration_##name(#name, name); \
  static void name()
#define CHECK(condition) tuntap::test::check(condition, #condition, __LINE__)
#define CHECK_EQUAL(actual, expected) tuntap::test::check_equal(actual, expected, #actual, __LINE__)
