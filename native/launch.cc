#include "launch.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>

#include <csignal>

#include "system.h"

namespace tuntap {
namespace {

/// What execve takes; it points into the texts.
std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> list;
  for (std::string& text : texts) list.push_back(text.data());
  list.push_back(nullptr);
  return list;
}

/// Descriptors out of the range that is given: there, one could be overwritten before its turn, and glibc
/// before 2.29 closes one that has its number already.
int raise(std::vector<GivenDescriptor>& given, std::vector<Descriptor>& copies) {
  for (GivenDescriptor& one : given) {
    if (one.number >= first_not_given) continue;
    Descriptor copy(::fcntl(one.number, F_DUPFD_CLOEXEC, first_not_given));
    if (!copy) return errno;
    one.number = copy.number();
    copies.push_back(std::move(copy));
  }
  return 0;
}

}  // namespace

int launch(Launch start, pid_t& child) {
  std::vector<Descriptor> copies;
  if (const int error = raise(start.descriptors, copies)) return error;
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  ::posix_spawn_file_actions_init(&actions);
  for (const GivenDescriptor& one : start.descriptors) {
    ::posix_spawn_file_actions_adddup2(&actions, one.number, one.as);
  }
  ::posix_spawnattr_init(&attributes);
  sigset_t signals;
  // Until it has its own group, and so also later, it may get what was meant for ours: blocked, that waits.
  if (start.signals == Signals::blocked) {
    ::sigfillset(&signals);
  } else {
    ::sigemptyset(&signals);
  }
  ::posix_spawnattr_setsigmask(&attributes, &signals);
  ::sigemptyset(&signals);
  ::sigaddset(&signals, SIGPIPE);  // Node.js ignores it
  ::posix_spawnattr_setsigdefault(&attributes, &signals);
  ::posix_spawnattr_setflags(&attributes,
                             POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  const int error = ::posix_spawn(&child, start.path.c_str(), &actions, &attributes,
                                  pointers(start.arguments).data(), pointers(start.environment).data());
  ::posix_spawn_file_actions_destroy(&actions);
  ::posix_spawnattr_destroy(&attributes);
  return error;
}

int wait_for(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace tuntap
