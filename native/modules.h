// Modules of the kernel: what is known of one, and loading and unloading it by the program modprobe (kmod),
// which knows dependencies, compression and what is blacklisted.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "programs.h"

namespace tuntap {

/// Where it is looked for.
struct ModuleRoots {
  std::string sys = "/sys/module";
  std::string lib = "/lib/modules";
  std::string proc = "/proc";
  std::string boot = "/boot";
  std::string release;  ///< empty: that of the kernel that runs
};

struct ModuleFacts {
  std::string release;       ///< of the kernel that runs
  bool modular = false;      ///< whether that kernel can load modules at all
  bool present = false;      ///< there is a folder for it in /sys/module
  std::string state;         ///< initstate, only of one that was loaded: live, coming, going
  bool built_in = false;     ///< modules.builtin names it
  bool available = false;    ///< modules.dep names it
  bool initialised = false;  ///< none of those, but the kernel itself has a function that begins it
  std::string config;  ///< none of those either: how the kernel was configured, if readable; may be gzip
  std::vector<std::string> releases;  ///< kernels that have a folder in /lib/modules
  std::vector<std::string> users;     ///< modules that use it
  std::vector<std::pair<std::string, std::string>> parameters;  ///< those that can be read
};

/// A dash in the name is the same as an underscore. A text that is no name is EINVAL, "module name".
ModuleFacts read_module(const std::string& name, const ModuleRoots& roots = {});

/// `modprobe NAME PARAMETER…`. What is no `name=value` is EINVAL, "module parameter".
ProgramResult load_module(const std::string& name, const std::vector<std::string>& parameters);

/// `modprobe -r NAME`: what it needed and nobody else does goes, too.
ProgramResult unload_module(const std::string& name);

}  // namespace tuntap
