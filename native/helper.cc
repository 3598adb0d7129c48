// tuntap-helper: what has to be a process of its own. A command a line.
#include <cstdio>
#include <cstring>

#include "keeper.h"

namespace {

struct Command {
  const char* name;
  const char* arguments;
  int (*run)(int count, char** arguments);
};

constexpr Command commands[] = {
    {tuntap::keep_command, "LINK LEASE, with the link's queue as descriptor 3", tuntap::keep},
};

}  // namespace

int main(int count, char** arguments) {
  for (const Command& command : commands) {
    if (count > 1 && std::strcmp(arguments[1], command.name) == 0) {
      const int code = command.run(count - 2, arguments + 2);
      if (code != tuntap::wrong_usage) return code;
    }
  }
  for (const Command& command : commands) {
    std::fprintf(stderr, "usage: %s %s %s\n", tuntap::helper_name, command.name, command.arguments);
  }
  return tuntap::wrong_usage;
}
