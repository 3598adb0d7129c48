// A test is a function with a name; a check that does not hold ends it.
#pragma once

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

}  // namespace tuntap::test

#define TEST(name)                                                          \
  static void name();                                                       \
  static const tuntap::test::Registration registration_##name(#name, name); \
  static void name()
#define CHECK(condition) tuntap::test::check(condition, #condition, __LINE__)
#define CHECK_EQUAL(actual, expected) tuntap::test::check_equal(actual, expected, #actual, __LINE__)
