// Programs of the host that do what no system call does in one step: nft and modprobe. They are run from
// fixed places, with an environment of their own and without a shell.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "namespace.h"

namespace tuntap {

struct Program {
  const char* name;
  /// Where it may be; the first that can be executed is run.
  std::array<const char*, 4> places{};
};

struct ProgramLimits {
  size_t output = 64U << 20U;  ///< bytes; of either stream
  int milliseconds = 60'000;   ///< until it is killed
};

struct ProgramResult {
  int status = 0;  ///< its exit code, or 128 and the number of the signal that ended it
  std::string output;
  std::string errors;
};

/// Runs a program inside the namespace and waits for its end. SystemErrors are about its name: ENOENT where
/// it is in none of its places, EMSGSIZE where it prints more than it may, ETIMEDOUT where it does not end.
ProgramResult run_program(const NamespaceName& place, const Program& program,
                          std::vector<std::string> arguments, const std::string& input,
                          const ProgramLimits& limits = {});

}  // namespace tuntap
