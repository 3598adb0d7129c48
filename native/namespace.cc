#include "namespace.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/magic.h>
#include <poll.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>

namespace tuntap {
namespace {

constexpr char directory[] = "/run/netns";
constexpr char own_namespace[] = "/proc/thread-self/ns/net";
constexpr int32_t loopback = 1;

std::string path_of(const std::string& name) {
  if (name.empty() || name == "." || name == ".." || name.find('/') != std::string::npos || has_nul(name)) {
    throw SystemError{EINVAL, "namespace name", name, {}};
  }
  return std::string(directory) + "/" + name;
}

void on_fresh_thread(const std::function<void()>& work) {
  std::exception_ptr failure;
  std::thread thread([&] {
    try {
      work();
    } catch (...) {
      failure = std::current_exception();
    }
  });
  thread.join();
  if (failure) std::rethrow_exception(failure);
}

bool is_mounted(const std::string& path) {
  struct statfs file_system {};
  return ::statfs(path.c_str(), &file_system) == 0 && file_system.f_type == NSFS_MAGIC;
}

/// The process that took the lock (flock) on an open file; 0 if it is not seen.
pid_t find_locker(const Descriptor& file) {
  struct stat wanted {};
  if (::fstat(file.number(), &wanted) < 0) return 0;
  const std::unique_ptr<FILE, int (*)(FILE*)> locks(std::fopen("/proc/locks", "re"), std::fclose);
  char line[256];
  while (locks && std::fgets(line, sizeof line, locks.get())) {
    int pid = 0;
    unsigned major = 0, minor = 0;
    unsigned long inode = 0;
    // proc(5); one that waits has an arrow before its kind.
    if (std::sscanf(line, "%*d: FLOCK %*s %*s %d %x:%x:%lu", &pid, &major, &minor, &inode) == 4 &&
        makedev(major, minor) == wanted.st_dev && inode == wanted.st_ino) {
      return std::max(pid, 0);  // -1 where it has ended, and a child has the file still
    }
  }
  return 0;
}

/// The lock that `ip netns add` takes too, and of this process a mutex, so that only others are waited for
/// with a limit. Held as long as this lives.
class DirectoryLock {
 public:
  explicit DirectoryLock(const NamespaceLimits& limits) : lock_(own()) {
    directory_ =
        descriptor_or_throw(::open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC), "open", directory);
    for (int waited = 0; ::flock(directory_.number(), LOCK_EX | LOCK_NB) < 0; waited += pause_milliseconds) {
      if (errno != EWOULDBLOCK && errno != EINTR) throw SystemError{errno, "flock", directory, {}};
      if (waited >= limits.lock_milliseconds) {
        throw SystemError{ETIMEDOUT, "flock", directory, {}, find_locker(directory_)};
      }
      ::poll(nullptr, 0, pause_milliseconds);
    }
  }

 private:
  static constexpr int pause_milliseconds = 10;

  /// Never destroyed: a call may outlast the exit.
  static std::mutex& own() {
    static auto* const instance = new std::mutex;
    return *instance;
  }

  std::unique_lock<std::mutex> lock_;
  Descriptor directory_;
};

/// A shared mount of its own, so that names made here are seen, and can be removed, in other mount
/// namespaces.
void share_directory() {
  if (::mount("", directory, "none", MS_SHARED | MS_REC, nullptr) == 0) return;
  if (errno != EINVAL) throw SystemError{errno, "mount", directory, {}};
  if (::mount(directory, directory, "none", MS_BIND | MS_REC, nullptr) < 0 ||
      ::mount("", directory, "none", MS_SHARED | MS_REC, nullptr) < 0) {
    throw SystemError{errno, "mount", directory, {}};
  }
}

/// True if the file was made, false if one that an interrupted creation left behind is used.
bool make_file(const std::string& path) {
  if (Descriptor(::open(path.c_str(), O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0))) return true;
  if (errno != EEXIST) throw SystemError{errno, "open", path, {}};
  struct stat found {};
  if (::lstat(path.c_str(), &found) < 0) throw SystemError{errno, "lstat", path, {}};
  if (!S_ISREG(found.st_mode) || is_mounted(path)) throw SystemError{EEXIST, "open", path, {}};
  return false;
}

void send_inside(Bytes message, const std::string& path) {
  if (!set_link_index(message, loopback)) throw SystemError{EINVAL, "message", path, {}};
  const Reply reply = netlink_request({std::move(message)}).front();
  if (reply.number != 0) throw SystemError{reply.number, "message", path, reply.extack};
}

}  // namespace

void in_namespace(const NamespaceName& name, const std::function<void()>& work) {
  if (!name) return work();
  on_fresh_thread([&] {
    if (::setns(open_namespace(name).number(), CLONE_NEWNET) < 0) {
      throw SystemError{errno, "setns", path_of(*name), {}};
    }
    work();
  });
}

NamespaceId identify_namespace(const NamespaceName& name) {
  const std::string path = name ? path_of(*name) : own_namespace;
  struct stat found {};
  if (::stat(path.c_str(), &found) < 0) throw SystemError{errno, "open", path, {}};
  if (!is_mounted(path)) throw SystemError{EINVAL, "setns", path, {}};
  return {found.st_dev, found.st_ino};
}

NamespaceId identify_namespace(const Descriptor& place) {
  struct stat found {};
  if (::fstat(place.number(), &found) < 0) throw SystemError{errno, "fstat", {}, {}};
  return {found.st_dev, found.st_ino};
}

bool leads_to(const std::string& name, const NamespaceId& place) {
  try {
    return identify_namespace(name) == place;
  } catch (const SystemError&) {
    return false;
  }
}

Descriptor open_namespace(const NamespaceName& name) {
  const std::string path = name ? path_of(*name) : own_namespace;
  auto place = descriptor_or_throw(::open(path.c_str(), O_RDONLY | O_CLOEXEC), "open", path);
  // A file without a namespace behind it: what setns would say.
  if (!is_mounted(path)) throw SystemError{EINVAL, "setns", path, {}};
  return place;
}

std::vector<NamespaceEntry> list_namespaces() {
  std::vector<NamespaceEntry> entries;
  const std::unique_ptr<DIR, int (*)(DIR*)> listing(::opendir(directory), ::closedir);
  if (!listing && errno == ENOENT) return entries;
  if (!listing) throw SystemError{errno, "opendir", directory, {}};
  while (const dirent* found = ::readdir(listing.get())) {
    NamespaceEntry entry;
    entry.name = found->d_name;
    if (entry.name == "." || entry.name == "..") continue;
    const std::string path = path_of(entry.name);
    struct stat file {};
    entry.mounted = is_mounted(path) && ::stat(path.c_str(), &file) == 0;
    if (entry.mounted) entry.inode = file.st_ino;
    entries.push_back(std::move(entry));
  }
  return entries;
}

void add_namespace(const std::string& name, const std::optional<Bytes>& message,
                   const NamespaceLimits& limits) {
  const std::string path = path_of(name);
  if (::mkdir(directory, 0755) < 0 && errno != EEXIST) throw SystemError{errno, "mkdir", directory, {}};
  const DirectoryLock lock(limits);
  share_directory();
  const bool made = make_file(path);
  try {
    on_fresh_thread([&] {
      if (::unshare(CLONE_NEWNET) < 0) throw SystemError{errno, "unshare", path, {}};
      if (message) send_inside(*message, path);
      if (::mount(own_namespace, path.c_str(), "none", MS_BIND, nullptr) < 0) {
        throw SystemError{errno, "mount", path, {}};
      }
    });
  } catch (...) {
    if (made) ::unlink(path.c_str());
    throw;
  }
}

void remove_namespace(const std::string& name, const NamespaceLimits& limits) {
  const std::string path = path_of(name);
  const DirectoryLock lock(limits);
  // More than one where mounts are stacked; EINVAL says that none is left.
  while (::umount2(path.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) == 0) {
  }
  if (errno != EINVAL) throw SystemError{errno, "umount2", path, {}};
  if (::unlink(path.c_str()) < 0) throw SystemError{errno, "unlink", path, {}};
}

std::vector<Reply> move_links(const NamespaceName& from, const NamespaceName& to,
                              std::vector<Bytes> messages) {
  const Descriptor target = open_namespace(to);
  for (Bytes& message : messages) {
    // What is no such message is sent as none, and so gets its EINVAL like any other.
    if (!append_to_link(message, IFLA_NET_NS_FD, target.number())) message.clear();
  }
  std::vector<Reply> replies;
  in_namespace(from, [&] { replies = netlink_request(std::move(messages)); });
  return replies;
}

}  // namespace tuntap
