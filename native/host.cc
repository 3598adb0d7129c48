#include "host.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>

#include <vector>

namespace tuntap {
namespace {

std::string sysctl_path(const std::string& name) {
  std::string path;
  for (const char c : name) path += c == '.' ? '/' : c == '/' ? '.' : c;
  const std::string framed = "/" + path + "/";
  const auto contains = [&](const char* text) { return framed.find(text) != std::string::npos; };
  if (has_nul(name) || contains("//") || contains("/./") || contains("/../")) {
    throw SystemError{EINVAL, "sysctl name", name, {}};
  }
  return "/proc/sys/" + path;
}

/// Without the newline at its end.
std::string read_file(const std::string& path) {
  const auto file = descriptor_or_throw(::open(path.c_str(), O_RDONLY | O_CLOEXEC), "open", path);
  std::string text;
  char buffer[4096];
  for (;;) {
    const ssize_t size = ::read(file.number(), buffer, sizeof buffer);
    if (size < 0) throw SystemError{errno, "read", path, {}};
    if (size == 0) break;
    text.append(buffer, size);
  }
  if (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

/// Calls one of the get…_r functions with a buffer that grows until it is large enough.
template <typename Entry, typename Find>
std::optional<Account> look_up(const char* operation, uint32_t Entry::*id, char* Entry::*name, Find find) {
  for (std::vector<char> buffer(1024);; buffer.resize(buffer.size() * 2)) {
    Entry entry{};
    Entry* found = nullptr;
    const int error = find(&entry, buffer.data(), buffer.size(), &found);
    if (error == ERANGE || error == EINTR) continue;
    if (found) return Account{found->*id, found->*name};
    // getpwnam(3): these too are ways to say "not found".
    if (error == 0 || error == ENOENT || error == ESRCH || error == EBADF || error == EPERM)
      return std::nullopt;
    throw SystemError{error, operation, {}, {}};
  }
}

}  // namespace

std::string read_sysctl(const NamespaceName& place, const std::string& name) {
  const std::string path = sysctl_path(name);
  std::string text;
  // /proc/sys/net shows the namespace of the thread that opens it.
  in_namespace(place, [&] { text = read_file(path); });
  return text;
}

std::string legacy_tables(const NamespaceName& place, int version) {
  const std::string name = version == 6 ? "ip6_tables_names" : "ip_tables_names";
  std::string text;
  in_namespace(place, [&] {
    try {
      text = read_file("/proc/thread-self/net/" + name);
    } catch (const SystemError& error) {
      if (error.number != ENOENT) throw;
    }
  });
  return text;
}

std::string write_sysctl(const NamespaceName& place, const std::string& name, const std::string& value) {
  const std::string path = sysctl_path(name);
  if (has_nul(value)) throw SystemError{EINVAL, "sysctl value", value.c_str(), {}};
  std::string text;
  in_namespace(place, [&] {
    {
      // No O_TRUNC or O_CREAT: what is not there is not made.
      const auto file = descriptor_or_throw(::open(path.c_str(), O_WRONLY | O_CLOEXEC), "open", path);
      // The newline makes an empty value a write, too. What of it is understood, reading tells.
      const std::string line = value + '\n';
      if (::write(file.number(), line.data(), line.size()) < 0) throw SystemError{errno, "write", path, {}};
    }
    text = read_file(path);
  });
  return text;
}

std::optional<Account> find_account(Database database, const std::string& name) {
  if (has_nul(name)) return std::nullopt;
  if (database == Database::user) {
    return look_up<passwd>("getpwnam_r", &passwd::pw_uid, &passwd::pw_name,
                           [&](auto... rest) { return ::getpwnam_r(name.c_str(), rest...); });
  }
  return look_up<group>("getgrnam_r", &group::gr_gid, &group::gr_name,
                        [&](auto... rest) { return ::getgrnam_r(name.c_str(), rest...); });
}

std::optional<Account> find_account(Database database, uint32_t id) {
  if (database == Database::user) {
    return look_up<passwd>("getpwuid_r", &passwd::pw_uid, &passwd::pw_name,
                           [&](auto... rest) { return ::getpwuid_r(id, rest...); });
  }
  return look_up<group>("getgrgid_r", &group::gr_gid, &group::gr_name,
                        [&](auto... rest) { return ::getgrgid_r(id, rest...); });
}

}  // namespace tuntap
