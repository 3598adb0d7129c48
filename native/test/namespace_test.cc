#include "namespace.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <thread>

#include "check.h"
#include "host.h"
#include "messages.h"

using namespace tuntap;
using namespace tuntap::test;

namespace {

std::string mounts() {
  std::ifstream file("/proc/thread-self/mountinfo");
  return {std::istreambuf_iterator<char>(file), {}};
}

bool exists(const char* path) {
  struct stat found {};
  return ::lstat(path, &found) == 0;
}

}  // namespace

TEST(a_namespace_is_made_marked_and_removed_without_residue) {
  need_altnames();
  CHECK_EQUAL(list_namespaces().size(), 0u);
  const NamespaceId outside = identify_namespace(std::nullopt);
  add_namespace("warm-up", std::nullopt);  // makes the folder and its mount, which stay
  remove_namespace("warm-up");
  const std::string before = mounts();
  add_namespace("blue", add_altname(0, "lease-of-blue"));
  const auto entries = list_namespaces();
  CHECK_EQUAL(entries.size(), 1u);
  CHECK_EQUAL(entries[0].name, "blue");
  CHECK(entries[0].mounted);
  CHECK_EQUAL(entries[0].inode, identify_namespace("blue").inode);
  CHECK(!(identify_namespace("blue") == outside));
  in_namespace("blue", [] { CHECK_EQUAL(find_link("lo").altname, "lease-of-blue"); });
  CHECK_EQUAL(find_link("lo").altname, "");
  CHECK(identify_namespace(std::nullopt) == outside);
  remove_namespace("blue");
  CHECK_EQUAL(list_namespaces().size(), 0u);
  CHECK(mounts() == before);
}

TEST(a_taken_name_is_refused_and_a_plain_file_taken_over) {
  add_namespace("blue", std::nullopt);
  const NamespaceId blue = identify_namespace("blue");
  CHECK_EQUAL(error_of([] { add_namespace("blue", std::nullopt); }), EEXIST);
  CHECK(identify_namespace("blue") == blue);
  std::ofstream("/run/netns/red");
  CHECK_EQUAL(error_of([] { in_namespace("red", [] {}); }), EINVAL);
  CHECK_EQUAL(error_of([] { identify_namespace("red"); }), EINVAL);
  const auto before = list_namespaces();
  CHECK(std::any_of(before.begin(), before.end(),
                    [](auto& entry) { return entry.name == "red" && !entry.mounted; }));
  add_namespace("red", std::nullopt);
  in_namespace("red", [] { CHECK_EQUAL(count_links(), 1); });
  ::mkdir("/run/netns/folder", 0700);
  CHECK_EQUAL(error_of([] { add_namespace("folder", std::nullopt); }), EEXIST);
}

TEST(a_namespace_that_cannot_be_marked_leaves_nothing) {
  need_altnames();
  CHECK_EQUAL(error_of([] { add_namespace("blue", add_altname(0, "lo")); }), EEXIST);
  CHECK(!exists("/run/netns/blue"));
  CHECK_EQUAL(error_of([] { add_namespace("blue", Bytes(4)); }), EINVAL);
  CHECK(!exists("/run/netns/blue"));
}

TEST(missing_and_impossible_names_are_told_apart) {
  CHECK_EQUAL(error_of([] { in_namespace("nowhere", [] {}); }), ENOENT);
  CHECK_EQUAL(error_of([] { remove_namespace("nowhere"); }), ENOENT);
  add_namespace("blue", std::nullopt);
  CHECK_EQUAL(error_of([] { remove_namespace("nowhere"); }), ENOENT);
  CHECK_EQUAL(error_of([] { identify_namespace("nowhere"); }), ENOENT);
  for (const std::string name : {"", ".", "..", "a/b", "../x"}) {
    CHECK_EQUAL(error_of([&] { add_namespace(name, std::nullopt); }), EINVAL);
    CHECK_EQUAL(error_of([&] { remove_namespace(name); }), EINVAL);
    CHECK_EQUAL(error_of([&] { in_namespace(name, [] {}); }), EINVAL);
  }
  CHECK_EQUAL(error_of([] { add_namespace(std::string("a\0b", 3), std::nullopt); }), EINVAL);
}

TEST(a_lock_that_is_not_let_go_of_is_not_waited_for_without_end) {
  add_namespace("blue", std::nullopt);
  CHECK(::chmod("/run/netns", 0755) == 0);
  int ready[2];
  CHECK(::pipe(ready) == 0);
  const pid_t locker = ::fork();
  if (locker == 0) {
    if (::setresuid(1234, 1234, 1234) < 0) ::_exit(1);  // anybody may
    const int folder = ::open("/run/netns", O_RDONLY | O_DIRECTORY);
    if (::flock(folder, LOCK_EX) < 0) ::_exit(1);
    ::close(ready[1]);
    for (;;) ::pause();
  }
  ::close(ready[1]);
  char byte;
  CHECK(::read(ready[0], &byte, 1) == 0);
  ::close(ready[0]);
  const NamespaceLimits limits{100};
  const auto blocked = [&](const std::function<void()>& work) {
    try {
      work();
    } catch (const SystemError& error) {
      CHECK_EQUAL(error.number, ETIMEDOUT);
      CHECK_EQUAL(error.operation, "flock");
      CHECK_EQUAL(error.path, "/run/netns");
      CHECK_EQUAL(error.pid, locker);
      return true;
    }
    return false;
  };
  CHECK(blocked([&] { add_namespace("red", std::nullopt, limits); }));
  CHECK(blocked([&] { remove_namespace("blue", limits); }));
  CHECK_EQUAL(list_namespaces().size(), 1u);
  // What lets go in time is waited for.
  std::thread ender([&] {
    ::usleep(50'000);
    ::kill(locker, SIGKILL);
  });
  add_namespace("red", std::nullopt);
  ender.join();
  CHECK(::waitpid(locker, nullptr, 0) == locker);
  CHECK_EQUAL(list_namespaces().size(), 2u);
}

TEST(stacked_mounts_and_left_files_are_removed) {
  add_namespace("blue", std::nullopt);
  CHECK(::mount("/proc/thread-self/ns/net", "/run/netns/blue", "none", MS_BIND, nullptr) == 0);
  std::ofstream("/run/netns/red");
  remove_namespace("blue");
  remove_namespace("red");
  CHECK(!exists("/run/netns/blue") && !exists("/run/netns/red"));
}

TEST(sysctls_are_those_of_the_namespace) {
  add_namespace("blue", std::nullopt);
  std::ofstream("/proc/sys/net/ipv4/ip_forward") << "1";
  CHECK_EQUAL(read_sysctl(std::nullopt, "net.ipv4.ip_forward"), "1");
  CHECK_EQUAL(read_sysctl("blue", "net.ipv4.ip_forward"), "0");
  CHECK_EQUAL(read_sysctl("blue", "kernel.ostype"), "Linux");
  netlink_request({new_link("bridge", "br.0")});
  CHECK_EQUAL(read_sysctl(std::nullopt, "net.ipv6.conf.br/0.mtu"), "1500");
  CHECK_EQUAL(error_of([] { read_sysctl(std::nullopt, "net.nothing"); }), ENOENT);
  for (const char* name : {"", "net..ipv4", "net.//.kernel", ".net", "net."}) {
    CHECK_EQUAL(error_of([&] { read_sysctl(std::nullopt, name); }), EINVAL);
  }
}

TEST(tables_of_iptables_legacy_are_those_of_the_namespace) {
  add_namespace("blue", std::nullopt);
  for (const int version : {4, 6}) {
    CHECK_EQUAL(legacy_tables("blue", version), "");
    CHECK_EQUAL(error_of([&] { legacy_tables("red", version); }), ENOENT);
  }
}

TEST(sysctls_are_written_in_one_piece_and_read_back) {
  add_namespace("blue", std::nullopt);
  CHECK_EQUAL(write_sysctl("blue", "net.ipv4.ip_forward", "1"), "1");
  CHECK_EQUAL(read_sysctl("blue", "net.ipv4.ip_forward"), "1");
  CHECK_EQUAL(read_sysctl(std::nullopt, "net.ipv4.ip_forward"), "0");
  CHECK_EQUAL(write_sysctl("blue", "net.ipv4.ip_local_port_range", "20000 30000"), "20000\t30000");
  CHECK_EQUAL(write_sysctl("blue", "net.ipv4.ip_default_ttl", "70 80"), "70");
  CHECK_EQUAL(write_sysctl("blue", "net.ipv4.ip_local_reserved_ports", "8080"), "8080");
  CHECK_EQUAL(write_sysctl("blue", "net.ipv4.ip_local_reserved_ports", ""), "");
  const auto refused = [](const char* name, const std::string& value) {
    return error_of([&] { write_sysctl("blue", name, value); });
  };
  CHECK_EQUAL(refused("net.ipv4.nothing", "1"), ENOENT);
  CHECK_EQUAL(refused("net.ipv4", "1"), EISDIR);
  CHECK_EQUAL(refused("kernel.ostype", "Minix"), EACCES);
  CHECK_EQUAL(refused("net.ipv4.ip_default_ttl", "many"), EINVAL);
  CHECK_EQUAL(refused("net.ipv4.ip_default_ttl", std::string("70\0", 3)), EINVAL);
  CHECK_EQUAL(error_of([] { write_sysctl("red", "net.ipv4.ip_forward", "1"); }), ENOENT);
  std::ofstream("/run/stray") << "untouched";
  for (const char* name :
       {"", "net.//.//.//.run.stray", "//.//.run.stray", "net..ipv4", "net.", "net./.ipv4"}) {
    CHECK_EQUAL(refused(name, "1"), EINVAL);
  }
  std::string left;
  std::getline(std::ifstream("/run/stray"), left);
  CHECK_EQUAL(left, "untouched");
}

TEST(accounts_are_found_by_name_and_id) {
  CHECK_EQUAL(find_account(Database::user, "root")->id, 0u);
  CHECK_EQUAL(find_account(Database::user, 0)->name, "root");
  CHECK_EQUAL(find_account(Database::group, "root")->id, 0u);
  CHECK_EQUAL(find_account(Database::group, 0)->name, "root");
  CHECK(!find_account(Database::user, "no-such-user"));
  CHECK(!find_account(Database::group, 4123456789));
  CHECK(!find_account(Database::user, std::string("root\0x", 6)));
}

TEST(moving_wants_link_messages_and_both_namespaces) {
  add_namespace("blue", std::nullopt);
  netlink_request({new_link("veth", "moved")});
  const int index = find_link("moved").index;
  const auto replies = move_links(std::nullopt, "blue",
                                  {Bytes(3), delete_link(index), touch_link(index + 7), touch_link(index)});
  const int numbers[] = {EINVAL, EINVAL, ENODEV, 0};
  for (size_t i = 0; i < replies.size(); ++i) CHECK_EQUAL(replies[i].number, numbers[i]);
  CHECK_EQUAL(find_link("moved").index, 0);
  in_namespace("blue", [&] { CHECK_EQUAL(find_link("moved").index, index); });
  CHECK_EQUAL(error_of([] { move_links(std::nullopt, "nowhere", {}); }), ENOENT);
  CHECK_EQUAL(error_of([] { move_links("nowhere", "blue", {}); }), ENOENT);
  std::ofstream("/run/netns/plain");
  CHECK_EQUAL(error_of([] { move_links("blue", "plain", {}); }), EINVAL);
  CHECK_EQUAL(move_links("blue", std::nullopt, {touch_link(index)}).front().number, 0);
  CHECK_EQUAL(find_link("moved").index, index);
}
