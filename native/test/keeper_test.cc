#include "keeper.h"

#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include <csignal>
#include <cstring>
#include <thread>

#include "check.h"
#include "keepers.h"
#include "messages.h"
#include "processes.h"

using namespace tuntap;
using namespace tuntap::test;

namespace {

constexpr unsigned lower_up = 1U << 16;  // IFF_LOWER_UP, whose header clashes with net/if.h

bool has_carrier(const std::string& name) { return (find_link(name).flags & lower_up) != 0; }

Descriptor consume(const char* name) {
  Descriptor tun(::open("/dev/net/tun", O_RDWR | O_CLOEXEC));
  ifreq request{};
  std::strcpy(request.ifr_name, name);
  request.ifr_flags = static_cast<short>(multi_queue);
  CHECK(::ioctl(tun.number(), TUNSETIFF, &request) == 0);
  return tun;
}

}  // namespace

TEST(a_kept_link_lives_without_persistence_and_keeps_its_carrier) {
  const int index = create("tap0");
  netlink_request({set_up(index)});
  CHECK(!has_carrier("tap0"));
  Kept keeper(start("tap0", index).pid);
  CHECK(keeper.running());
  set_persist("tap0", index, false);
  CHECK(has_carrier("tap0"));
  for (int i = 0; i < 3; ++i) {
    const Descriptor consumer = consume("tap0");
    CHECK(has_carrier("tap0"));
  }
  CHECK(has_carrier("tap0"));
  CHECK(!find_link("tap0").persist);
  CHECK(keeper.running());
}

TEST(a_link_that_nobody_keeps_any_more_vanishes) {
  const int index = create("tap0");
  Kept keeper(start("tap0", index).pid);
  set_persist("tap0", index, false);
  CHECK_EQUAL(find_link("tap0").index, index);
  CHECK(::kill(keeper.pid(), SIGKILL) == 0);
  CHECK(until([&] { return !keeper.running(); }));
  CHECK_EQUAL(find_link("tap0").index, 0);
}

TEST(a_keeper_ends_with_its_link) {
  const int index = create("tap0");
  Kept keeper(start("tap0", index).pid);
  CHECK_EQUAL(netlink_request({delete_link(index)}).front().number, 0);
  CHECK(keeper.ends());
}

TEST(a_keeper_follows_renames_and_moves) {
  add_namespace("blue", std::nullopt);
  const int index = create("tap0");
  Kept keeper(start("tap0", index).pid);
  set_persist("tap0", index, false);
  CHECK_EQUAL(netlink_request({rename_link(index, "renamed")}).front().number, 0);
  const auto renamed = find_holders(std::nullopt);
  CHECK_EQUAL(renamed.size(), 1u);
  CHECK_EQUAL(renamed[0].link, "renamed");
  move(index, std::nullopt, "blue");
  CHECK_EQUAL(find_holders(std::nullopt).size(), 0u);
  const auto moved = find_holders("blue");
  CHECK_EQUAL(moved.size(), 1u);
  CHECK_EQUAL(moved[0].process.pid, keeper.pid());
  CHECK_EQUAL(moved[0].lease.value_or(""), "lease-of-tap0");
  CHECK(keeper.running());
  remove_namespace("blue");
  CHECK(keeper.ends());
}

TEST(a_keeper_keeps_no_namespace_alive_that_lost_its_name) {
  add_namespace("blue", std::nullopt);
  add_namespace("red", std::nullopt);
  int index = 0;
  in_namespace("blue", [&] {
    index = create("tap0");
    netlink_request({new_link("veth", "witness")});
  });
  Kept keeper(start("tap0", index, "blue").pid);
  CHECK_EQUAL(find_namespace_processes("blue").size(), 0u);
  int witness = 0;
  in_namespace("blue", [&] {
    set_persist("tap0", index, false);
    witness = find_link("witness").index;
  });
  move(witness, "blue", std::nullopt);
  move(index, "blue", "red");
  // Its other end is in the namespace, so it goes when that ends.
  CHECK(find_link("witness").index != 0);
  remove_namespace("blue");
  CHECK(until([] { return find_link("witness").index == 0; }));
  CHECK(keeper.running());
  in_namespace("red", [&] {
    CHECK(find_link("tap0").index != 0);
    CHECK_EQUAL(find_holders("red").at(0).process.pid, keeper.pid());
  });
  // And from there too, where the link has nowhere else to be.
  add_namespace("other", std::nullopt);
  remove_namespace("other");
  CHECK(keeper.running());
  remove_namespace("red");
  CHECK(keeper.ends());
}

TEST(a_keeper_knows_its_namespace_from_the_first_moment) {
  for (int round = 0; round < 30; ++round) {
    add_namespace("blue", std::nullopt);
    int index = 0;
    in_namespace("blue", [&] { index = create("tap0"); });
    Kept keeper(start("tap0", index, "blue").pid);
    remove_namespace("blue");
    CHECK(keeper.ends());
  }
}

TEST(a_namespace_that_goes_during_a_start_leaves_no_keeper) {
  for (int round = 0; round < 60; ++round) {
    add_namespace("blue", std::nullopt);
    int index = 0;
    in_namespace("blue", [&] { index = create("tap0"); });
    std::thread remover([&] {
      ::usleep(round * 100);
      remove_namespace("blue");
    });
    const int error = error_of([&] { start("tap0", index, "blue"); });
    remover.join();
    CHECK(error == 0 || error == ENOENT || error == EINVAL);  // or between unmounting and unlinking
    CHECK(until([] { return ::waitpid(-1, nullptr, WNOHANG) < 0 && errno == ECHILD; }));
  }
}

TEST(a_keeper_has_nothing_of_its_starter) {
  ::setenv("SECRET", "of the starter", 1);
  int leaky[2];
  CHECK(::pipe(leaky) == 0);  // without O_CLOEXEC
  const Descriptor reading(leaky[0]);
  Descriptor writing(leaky[1]);
  ::signal(SIGINT, SIG_IGN);
  const int index = create("tap0");
  Kept keeper(start("tap0", index).pid);
  ::signal(SIGINT, SIG_DFL);
  { const Descriptor closing = std::move(writing); }
  // Its end: the keeper has no copy.
  pollfd watched{reading.number(), POLLIN, 0};
  CHECK_EQUAL(::poll(&watched, 1, 1000), 1);
  CHECK_EQUAL(watched.revents, POLLHUP);
  const std::string process = "/proc/" + std::to_string(keeper.pid());
  CHECK_EQUAL(::getsid(keeper.pid()), keeper.pid());
  CHECK_EQUAL(target(process + "/cwd"), "/");
  CHECK_EQUAL(read_all(process + "/environ"), "");
  CHECK(read_all(process + "/cmdline") == std::string("tuntap-helper\0hold\0tap0\0lease-of-tap0\0", 38));
  CHECK(until([&] { return target(process + "/fd/1") == "/dev/null"; }));
  CHECK_EQUAL(target(process + "/fd/0"), "/dev/null");
  CHECK_EQUAL(target(process + "/fd/2"), "/dev/null");
  CHECK(target(process + "/fd/3").find("tun") != std::string::npos);
  const std::string status = read_all(process + "/status");
  // SIGHUP and SIGPIPE alone; glibc's posix_spawn ignores two more of its own above 31.
  const size_t ignored = status.find("SigIgn:\t") + 8;
  CHECK_EQUAL(std::stoull(status.substr(ignored, 16), nullptr, 16) & 0x7FFFFFFF, 0x1001u);
  CHECK(status.find("SigBlk:\t0000000000000000") != std::string::npos);
  ::kill(keeper.pid(), SIGHUP);
  ::usleep(50'000);
  CHECK(keeper.running());
}
