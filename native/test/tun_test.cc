#include "tun.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>

#include <atomic>
#include <cstdio>
#include <cstring>
#include <thread>

#include "check.h"
#include "messages.h"

using namespace tuntap;
using namespace tuntap::test;

namespace {

TunOperation create(const std::string& name) {
  TunOperation operation{};
  operation.kind = TunOperation::Kind::create;
  operation.name = name;
  operation.flags = IFF_TAP | IFF_NO_PI;
  operation.persist = true;
  return operation;
}

TunOperation attach(const std::string& name, int ifindex) {
  TunOperation operation = create(name);
  operation.kind = TunOperation::Kind::attach;
  operation.ifindex = ifindex;
  operation.persist.reset();
  return operation;
}

TunResult run(const TunOperation& operation) { return run_tun_operations({operation}).front(); }

Descriptor hold(const char* name, int flags) {
  Descriptor tun(::open("/dev/net/tun", O_RDWR | O_CLOEXEC));
  ifreq request{};
  std::strcpy(request.ifr_name, name);
  request.ifr_flags = static_cast<short>(flags);
  CHECK(::ioctl(tun.number(), TUNSETIFF, &request) == 0);
  return tun;
}

}  // namespace

TEST(a_created_tap_has_owner_group_lease_and_stays) {
  need_altnames();
  TunOperation operation = create("tap0");
  operation.owner = 1234;
  operation.group = 0;
  operation.message = add_altname(0, "lease-of-tap0");
  const TunResult result = run(operation);
  CHECK_EQUAL(result.number, 0);
  const Link link = find_link("tap0");
  CHECK_EQUAL(link.index, result.ifindex);
  CHECK_EQUAL(link.owner, 1234);
  CHECK_EQUAL(link.group, 0);
  CHECK_EQUAL(link.altname, "lease-of-tap0");
  CHECK(link.persist);
}

TEST(what_is_not_asked_for_is_not_set) {
  CHECK_EQUAL(run(create("tap0")).number, 0);
  const Link link = find_link("tap0");
  CHECK(link.index != 0 && link.owner == -1 && link.group == -1 && link.altname.empty());
  TunOperation fleeting = create("tap1");
  fleeting.persist = false;
  CHECK_EQUAL(run(fleeting).number, 0);
  CHECK_EQUAL(find_link("tap1").index, 0);
}

TEST(create_never_takes_what_exists) {
  netlink_request({new_link("bridge", "br0")});
  CHECK_EQUAL(run(create("tap0")).number, 0);
  for (const char* name : {"tap0", "br0", "lo"}) {
    const TunResult result = run(create(name));
    CHECK_EQUAL(result.number, EBUSY);
    CHECK_EQUAL(result.step, "TUNSETIFF");
    CHECK_EQUAL(result.ifindex, 0);
  }
  CHECK_EQUAL(find_link("tap0").owner, -1);
}

TEST(names_that_the_kernel_would_change_are_refused) {
  for (const std::string name : {"sixteen-bytes-xx", "", "tap%d", "nul"}) {
    CHECK_EQUAL(run(create(name == "nul" ? std::string("a\0b", 3) : name)).number, EINVAL);
  }
  CHECK_EQUAL(run(create("fifteen-bytes-x")).number, 0);
  CHECK_EQUAL(count_links(), 2);
}

TEST(many_more_than_may_be_open_at_once) {
  need_altnames();
  std::vector<TunOperation> operations;
  for (int i = 0; i < 600; ++i) {
    operations.push_back(create("t" + std::to_string(i)));
    operations.back().message = add_altname(0, "lease-" + std::to_string(i));
  }
  std::atomic<bool> stop{false};
  std::atomic<int> most{0};
  std::thread observer([&] {
    while (!stop) {
      int count = 0;
      DIR* const listing = ::opendir("/proc/self/fd");
      while (::readdir(listing)) ++count;
      ::closedir(listing);
      if (count > most) most = count;
    }
  });
  const auto results = run_tun_operations(operations);
  stop = true;
  observer.join();
  for (const TunResult& result : results) CHECK_EQUAL(result.number, 0);
  CHECK_EQUAL(count_links(), 601);
  CHECK_EQUAL(find_link("t599").altname, "lease-599");
  CHECK(most > 200 && most < 300);
}

TEST(what_was_made_is_told_also_where_descriptors_run_out) {
  need_altnames();
  // The first chunk opens two, the second one more than there are: a socket for its message is missing.
  std::vector<TunOperation> operations(256, create("no%name"));
  operations[0] = create("first");
  operations.push_back(create("second"));
  operations.back().message = add_altname(0, "lease");
  std::vector<TunResult> results;
  int error = 0;
  with_descriptors_left(2, [&] { error = error_of([&] { results = run_tun_operations(operations); }); });
  CHECK_EQUAL(error, 0);
  CHECK_EQUAL(results[0].number, 0);
  CHECK_EQUAL(results[0].ifindex, find_link("first").index);
  CHECK_EQUAL(results[1].number, EINVAL);
  CHECK_EQUAL(results[256].number, EMFILE);
  CHECK_EQUAL(results[256].step, "socket");
  CHECK_EQUAL(results[256].ifindex, 0);
  CHECK_EQUAL(find_link("second").index, 0);
}

TEST(a_create_that_fails_leaves_no_link_and_harms_no_other) {
  need_altnames();
  TunOperation bad_message = create("bad-message");
  bad_message.message = add_altname(0, "lo");  // taken
  TunOperation short_message = create("short-message");
  short_message.message = Bytes(8);
  TunOperation bad_owner = create("bad-owner");
  bad_owner.owner = 0xFFFFFFFF;
  TunOperation bad_group = create("bad-group");
  bad_group.group = 0xFFFFFFFF;
  const auto results =
      run_tun_operations({create("one"), bad_message, short_message, bad_owner, bad_group, create("two")});
  const char* const steps[] = {"", "message", "message", "TUNSETOWNER", "TUNSETGROUP", ""};
  const int numbers[] = {0, EEXIST, EINVAL, EINVAL, EINVAL, 0};
  for (size_t i = 0; i < results.size(); ++i) {
    CHECK_EQUAL(results[i].number, numbers[i]);
    CHECK_EQUAL(results[i].step, steps[i]);
    CHECK_EQUAL(results[i].ifindex != 0, numbers[i] == 0);
  }
  CHECK_EQUAL(count_links(), 3);
  CHECK(find_link("one").persist && find_link("two").persist);
}

TEST(attach_changes_owner_group_and_persistence) {
  const int index = run(create("tap0")).ifindex;
  TunOperation change = attach("tap0", index);
  change.owner = 7;
  change.group = 8;
  CHECK_EQUAL(run(change).number, 0);
  CHECK_EQUAL(find_link("tap0").owner, 7);
  CHECK_EQUAL(find_link("tap0").group, 8);
  CHECK(find_link("tap0").persist);
  TunOperation drop = attach("tap0", index);
  drop.persist = false;
  CHECK_EQUAL(run(drop).number, 0);
  CHECK_EQUAL(find_link("tap0").index, 0);
}

TEST(attach_to_another_link_changes_nothing) {
  const int index = run(create("tap0")).ifindex;
  TunOperation stale = attach("tap0", index + 1);
  stale.owner = 7;
  CHECK_EQUAL(run(stale).number, ENODEV);
  CHECK_EQUAL(find_link("tap0").owner, -1);
  TunOperation vanished = attach("tap9", index);
  vanished.persist = true;
  CHECK_EQUAL(run(vanished).number, ENODEV);
  CHECK_EQUAL(count_links(), 2);
}

TEST(a_held_single_queue_tap_is_busy_and_a_multi_queue_one_is_not) {
  TunOperation multi = create("multi");
  multi.flags |= IFF_MULTI_QUEUE;
  const int single_index = run(create("single")).ifindex;
  const int multi_index = run(multi).ifindex;
  const Descriptor single_holder = hold("single", IFF_TAP | IFF_NO_PI);
  const Descriptor multi_holder = hold("multi", IFF_TAP | IFF_NO_PI | IFF_MULTI_QUEUE);
  TunOperation change = attach("single", single_index);
  change.owner = 7;
  CHECK_EQUAL(run(change).number, EBUSY);
  change = attach("multi", multi_index);
  change.flags |= IFF_MULTI_QUEUE;
  change.owner = 7;
  CHECK_EQUAL(run(change).number, 0);
  CHECK_EQUAL(find_link("multi").owner, 7);
}
