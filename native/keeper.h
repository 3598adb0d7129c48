// The process behind persistence "process": it keeps one queue of a link, put aside, as long as the link is
// there.
#pragma once

#include <sys/types.h>

#include <cstdint>

namespace tuntap {

// By these a keeper is found again: executable and arguments, `tuntap-helper hold LINK LEASE`.
constexpr char helper_name[] = "tuntap-helper";
constexpr char keep_command[] = "hold";

/// Where a keeper that is being started finds its queue, and where it says once what became of it.
constexpr int keeper_queue = 3;
constexpr int keeper_report = 1;

struct KeeperReport {
  int32_t number = 0;  ///< errno
  pid_t pid = 0;       ///< the process that stays
};

constexpr int wrong_usage = 2;

/// The command: leaves a process behind that keeps the queue, and returns. The arguments are for whoever
/// reads the list of processes.
int keep(int count, char** arguments);

}  // namespace tuntap
