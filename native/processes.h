// Who holds a TUN or TAP interface, and who lives in a namespace.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "namespace.h"

namespace tuntap {

struct ProcessInfo {
  pid_t pid = 0;
  std::string command;
  uid_t uid = 0;
};

struct Holder {
  std::string link;
  ProcessInfo process;
  bool detached = false;
  std::optional<std::string> lease;  ///< of a keeper; others have none
};

/// One entry for each attached descriptor of another process, or of this one if no operation here opened it.
/// Errors: also where this process lacks descriptors or memory to see them all.
std::vector<Holder> find_holders(const NamespaceName& name);

/// The lease that a keeper (keeper.h) names. None if the process is no keeper, whatever it says of itself.
std::optional<std::string> find_keeper_lease(pid_t pid);

/// Processes with a thread in the namespace; of this process only its main thread counts.
std::vector<ProcessInfo> find_namespace_processes(const std::string& name);

}  // namespace tuntap
