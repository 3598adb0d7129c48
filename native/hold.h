// Starts and ends keepers (keeper.h) of links, and finds them again from the kernel alone.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "namespace.h"

namespace tuntap {

struct HoldOperation {
  enum class Kind { start, end } kind;
  std::string name;
  int ifindex = 0;    ///< the link expected under the name
  int flags = 0;      ///< start: those of the link, IFF_MULTI_QUEUE among them
  std::string lease;  ///< start
};

struct HoldResult {
  int number = 0;  ///< errno
  std::string step;
  pid_t pid = 0;  ///< the keeper that runs now or was ended; 0 if there is none
  /// How the helper ended that did not say what became of the queue: an exit code, or 128 and a signal's
  /// number.
  std::optional<int> status = {};
};

/// Works the operations off, one after the other. `helper` is the path of the program that stays.
std::vector<HoldResult> run_hold_operations(const NamespaceName& place,
                                            const std::vector<HoldOperation>& operations,
                                            const std::string& helper);

}  // namespace tuntap
