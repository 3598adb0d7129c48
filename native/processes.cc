#include "processes.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <functional>
#include <memory>
#include <mutex>

#include "keeper.h"
#include "printable.h"
#include "tun.h"

#ifndef TUNGETDEVNETNS
#define TUNGETDEVNETNS _IO('T', 227)  // linux/if_tun.h since 5.6
#endif
#ifndef PIDFD_THREAD
#define PIDFD_THREAD O_EXCL  // linux/pidfd.h since 6.9
#endif

namespace tuntap {
namespace {

// linux/misc.h has no number for it; Documentation/admin-guide/devices.txt does.
constexpr unsigned tun_major = 10;
constexpr unsigned tun_minor = 200;
constexpr size_t command_length = 200;
constexpr char deleted[] = " (deleted)";  // proc(5), of an executable that was replaced

/// A thread by which what its process has can be seen. That is the main one while that lives; once it has
/// ended and others go on, /proc/PID shows no descriptors, namespaces and arguments any more.
struct Thread {
  pid_t process;
  pid_t number;

  bool is_main() const { return number == process; }
  /// Where it is in /proc.
  std::string path() const {
    const std::string main = "/proc/" + std::to_string(process);
    return is_main() ? main : main + "/task/" + std::to_string(number);
  }
};

struct Attachment {
  std::string link;
  NamespaceId place;
  bool detached;
};

/// After a look that failed: processes end while they are looked at, and some may not be looked at. But
/// nobody must seem to hold nothing because this process has no descriptor left to look with.
void require_means(const char* operation, const std::string& path = {}) {
  if (errno == EMFILE || errno == ENFILE || errno == ENOMEM) throw SystemError{errno, operation, path, {}};
}

/// Takes the result of a call that makes a descriptor; none where there is nothing to see.
Descriptor descriptor_or_nothing(int number, const char* operation, const std::string& path = {}) {
  if (number < 0) require_means(operation, path);
  return Descriptor(number);
}

/// Calls visit(number) for each entry of the directory that is a number. False, and no more, where there is
/// nothing to see.
bool each_number(const std::string& path, const std::function<void(int)>& visit) {
  const std::unique_ptr<DIR, int (*)(DIR*)> listing(::opendir(path.c_str()), ::closedir);
  if (!listing) {
    require_means("opendir", path);
    return false;
  }
  while (const dirent* entry = ::readdir(listing.get())) {
    int number = 0;
    const char* const end = entry->d_name + std::strlen(entry->d_name);
    const auto parsed = std::from_chars(entry->d_name, end, number);
    if (parsed.ec == std::errc() && parsed.ptr == end) visit(number);
  }
  return true;
}

std::string read_file(const std::string& path) {
  const Descriptor file = descriptor_or_nothing(::open(path.c_str(), O_RDONLY | O_CLOEXEC), "open", path);
  char buffer[4096];
  const ssize_t size = file ? ::read(file.number(), buffer, sizeof buffer) : -1;
  return size < 0 ? std::string() : std::string(buffer, size);
}

/// The text between `key` at the beginning of a line and the end of that line.
std::string line_value(const std::string& text, const std::string& key) {
  const size_t at = ("\n" + text).find("\n" + key);
  if (at == std::string::npos) return {};
  const size_t from = at + key.size();
  return text.substr(from, text.find('\n', from) - from);
}

std::string command_of(const std::string& process) {
  std::string command = read_file(process + "/cmdline");
  while (!command.empty() && command.back() == '\0') command.pop_back();
  if (command.empty()) command = line_value(read_file(process + "/comm"), "");
  if (command.size() > command_length) {
    command.resize(command_length);
    // Whole characters only: back to the lead byte of what may be a cut UTF-8 sequence.
    while (!command.empty() && (command.back() & 0xC0) == 0x80) command.pop_back();
    if (!command.empty() && (command.back() & 0x80)) command.pop_back();
  }
  std::replace(command.begin(), command.end(), '\0', ' ');
  return printable(command);
}

ProcessInfo describe(const Thread& thread) {
  const std::string process = thread.path();
  ProcessInfo info;
  info.pid = thread.process;
  info.command = command_of(process);
  // "Uid:", then real, effective, saved and file system uid.
  const std::string uids = line_value(read_file(process + "/status"), "Uid:\t");
  info.uid =
      static_cast<uid_t>(std::strtoul(uids.c_str() + std::min(uids.find('\t'), uids.size()), nullptr, 10));
  return info;
}

/// The file name of what the process executes; empty where it may not be seen.
std::string executable_of(const std::string& process) {
  char buffer[4096];
  const ssize_t size = ::readlink((process + "/exe").c_str(), buffer, sizeof buffer);
  std::string path(buffer, std::max<ssize_t>(size, 0));
  const size_t mark = sizeof deleted - 1;
  if (path.size() > mark && path.compare(path.size() - mark, mark, deleted) == 0) {
    path.resize(path.size() - mark);
  }
  return path.substr(path.rfind('/') + 1);
}

std::vector<std::string> arguments_of(const std::string& process) {
  const std::string text = read_file(process + "/cmdline");
  std::vector<std::string> arguments;
  for (size_t at = 0; at < text.size(); at += arguments.back().size() + 1) {
    arguments.emplace_back(text.c_str() + at);
  }
  return arguments;
}

std::optional<NamespaceId> namespace_at(const std::string& path) {
  struct stat found {};
  if (::stat(path.c_str(), &found) < 0) return std::nullopt;
  return NamespaceId{found.st_dev, found.st_ino};
}

bool is_tun_node(const std::string& path) {
  struct statx found {};
  // By device number, as the node may have another name or none; without asking a remote file system.
  return ::statx(AT_FDCWD, path.c_str(), AT_STATX_DONT_SYNC, STATX_TYPE, &found) == 0 &&
         S_ISCHR(found.stx_mode) && found.stx_rdev_major == tun_major && found.stx_rdev_minor == tun_minor;
}

/// Asks the driver through a copy of the descriptor. None where this process may not have one.
std::optional<Attachment> ask_descriptor(const Thread& thread, int descriptor) {
#if defined(SYS_pidfd_open) && defined(SYS_pidfd_getfd)
  const unsigned flags = thread.is_main() ? 0 : PIDFD_THREAD;
  const Descriptor process =
      descriptor_or_nothing(static_cast<int>(::syscall(SYS_pidfd_open, thread.number, flags)), "pidfd_open");
  if (!process) return std::nullopt;
  const Descriptor copy = descriptor_or_nothing(
      static_cast<int>(::syscall(SYS_pidfd_getfd, process.number(), descriptor, 0)), "pidfd_getfd");
  if (!copy) return std::nullopt;
  ifreq interface {};
  if (::ioctl(copy.number(), TUNGETIFF, &interface) < 0) return std::nullopt;
  const Descriptor place = descriptor_or_nothing(::ioctl(copy.number(), TUNGETDEVNETNS), "TUNGETDEVNETNS");
  struct stat found {};
  if (!place || ::fstat(place.number(), &found) < 0) return std::nullopt;
  return Attachment{std::string(interface.ifr_name, strnlen(interface.ifr_name, IFNAMSIZ)),
                    {found.st_dev, found.st_ino},
                    (interface.ifr_flags & IFF_DETACH_QUEUE) != 0};
#else
  (void)thread, (void)descriptor;
  return std::nullopt;
#endif
}

/// The name of the attached interface as /proc tells it; empty if there is none.
std::string attached_name(const Thread& thread, int descriptor) {
  const std::string path = thread.path() + "/fdinfo/" + std::to_string(descriptor);
  return line_value(read_file(path), "iff:\t");
}

std::optional<Attachment> attachment(const Thread& thread, int descriptor) {
  const std::string name = attached_name(thread, descriptor);
  if (name.empty()) return std::nullopt;
  if (auto asked = ask_descriptor(thread, descriptor)) return asked;
  // Second best: a link is mostly in the namespace of who holds it.
  const auto place = namespace_at(thread.path() + "/ns/net");
  if (!place) return std::nullopt;
  return Attachment{name, *place, false};
}

/// Calls visit(thread, descriptor) for each descriptor of the TUN driver's that the process has.
void each_tun(pid_t pid, const std::function<void(const Thread&, int)>& visit) {
  bool any = false;
  const auto look = [&](const Thread& thread) {
    const std::string opened = thread.path() + "/fd";
    return each_number(opened, [&](int descriptor) {
      any = true;
      if (is_tun_node(opened + "/" + std::to_string(descriptor))) visit(thread, descriptor);
    });
  };
  if (!look({pid, pid}) || any) return;
  // Of the threads that are left one is enough: they share what is open.
  each_number("/proc/" + std::to_string(pid) + "/task", [&](pid_t number) {
    if (!any && number != pid) look({pid, number});
  });
}

}  // namespace

std::vector<Holder> find_holders(const NamespaceName& name) {
  // One search at a time, as the copies that a search makes would look like holders to another one.
  static auto* const searching = new std::mutex;
  const std::lock_guard lock(*searching);
  const NamespaceId wanted = identify_namespace(name);
  struct Found {
    Thread thread;
    int descriptor;
    Attachment attachment;
  };
  std::vector<Found> all;
  each_number("/proc", [&](pid_t pid) {
    each_tun(pid, [&](const Thread& thread, int descriptor) {
      if (pid == ::getpid() && is_tun_operation(descriptor)) return;
      const auto found = attachment(thread, descriptor);
      if (found && found->place == wanted) all.push_back({thread, descriptor, *found});
    });
  });
  // A second look leaves out what was there for a moment only: another instance of this program at its work.
  std::vector<Holder> holders;
  for (const Found& found : all) {
    const Attachment& attached = found.attachment;
    if (attached_name(found.thread, found.descriptor) != attached.link) continue;
    // A keeper whose queue is in use is none.
    auto lease = attached.detached ? find_keeper_lease(found.thread.process) : std::nullopt;
    holders.push_back({attached.link, describe(found.thread), attached.detached, std::move(lease)});
  }
  return holders;
}

std::optional<std::string> find_keeper_lease(pid_t pid) {
  const std::string process = "/proc/" + std::to_string(pid);
  const auto arguments = arguments_of(process);
  if (arguments.size() != 4 || arguments[1] != keep_command) return std::nullopt;
  // Anybody may give a program this name and these arguments, so only root's word is taken.
  if (executable_of(process) != helper_name || describe({pid, pid}).uid != 0) return std::nullopt;
  return arguments[3];
}

std::vector<ProcessInfo> find_namespace_processes(const std::string& name) {
  const NamespaceId wanted = identify_namespace(name);
  std::vector<ProcessInfo> processes;
  each_number("/proc", [&](pid_t pid) {
    std::optional<Thread> inside;
    each_number("/proc/" + std::to_string(pid) + "/task", [&](pid_t number) {
      const Thread thread{pid, number};
      // Other threads of this process are in a namespace for the length of a call.
      if (inside || (pid == ::getpid() && !thread.is_main())) return;
      const auto place = namespace_at(thread.path() + "/ns/net");
      if (place && *place == wanted) inside = thread;
    });
    if (inside) processes.push_back(describe(*inside));
  });
  return processes;
}

}  // namespace tuntap
