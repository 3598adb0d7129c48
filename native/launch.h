// Starts programs that have nothing of this process but what they are given.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace tuntap {

/// Programs are given descriptors under numbers below this one.
constexpr int first_not_given = 10;

struct GivenDescriptor {
  int number;  ///< here
  int as;      ///< there
};

/// Which signals a program is started with.
enum class Signals {
  open,
  blocked,  ///< all, for a program that unblocks them itself
};

struct Launch {
  std::string path;
  std::vector<std::string> arguments;  ///< from argv[0] on
  std::vector<std::string>
      environment;  ///< NAME=VALUE; ours may hold secrets, and what changes a program's ways
  std::vector<GivenDescriptor> descriptors;
  Signals signals = Signals::open;
};

/// Starts the program in a process group of its own: Ctrl-C in a terminal is for this process, which lets
/// what it began come to its end. Returns errno, or 0 and the process in `child`.
int launch(Launch start, pid_t& child);

/// Waits for the end of a child: its exit code, or 128 and the number of the signal that ended it.
int wait_for(pid_t child);

}  // namespace tuntap
