#include "netlink.h"

#include <linux/rtnetlink.h>

#include <atomic>
#include <cstring>
#include <thread>

#include "check.h"
#include "messages.h"

using namespace tuntap;
using namespace tuntap::test;

TEST(one_failing_message_does_not_stop_the_rest) {
  const auto replies =
      netlink_request({new_link("bridge", "a"), new_link("nosuchkind", "b"), new_link("bridge", "c")});
  CHECK_EQUAL(replies.size(), 3u);
  CHECK_EQUAL(replies[0].number, 0);
  CHECK_EQUAL(replies[1].number, EOPNOTSUPP);
  CHECK_EQUAL(replies[1].extack, "Unknown device type");
  CHECK_EQUAL(replies[2].number, 0);
  CHECK(find_link("a").index != 0 && find_link("b").index == 0 && find_link("c").index != 0);
}

TEST(an_answer_says_where_the_offending_attribute_is) {
  need_altnames();
  const Bytes wrong = set_mtu("lo", 0xFFFFFFFF);
  Bytes altname = add_altname(1, "x");
  altname.back() = 'y';  // the string's end is missing
  const auto replies = netlink_request({wrong, altname});
  CHECK_EQUAL(replies[0].number, EINVAL);
  CHECK(!replies[0].extack.empty());
  CHECK_EQUAL(replies[1].number, 0);
  // An attribute that is too short: the kernel names its place.
  Bytes short_mtu = set_mtu("lo", 1500);
  short_mtu[short_mtu.size() - 8] = 6;
  short_mtu.resize(short_mtu.size() - 2);
  short_mtu[0] -= 2;
  const auto reply = netlink_request({short_mtu}).front();
  CHECK_EQUAL(reply.number, ERANGE);
  CHECK(reply.offset.has_value());
  CHECK_EQUAL(*reply.offset, 40u);
}

TEST(malformed_messages_and_dumps_are_refused_alone) {
  Bytes too_long = new_link("bridge", "a");
  too_long[0] += 4;
  const auto replies = netlink_request({Bytes(3), too_long, get_links(), new_link("bridge", "b")});
  CHECK_EQUAL(replies[0].number, EINVAL);
  CHECK_EQUAL(replies[1].number, EINVAL);
  CHECK_EQUAL(replies[2].number, EINVAL);
  CHECK_EQUAL(replies[3].number, 0);
  CHECK_EQUAL(error_of([] { netlink_dump(new_link("bridge", "c")); }), EINVAL);
  CHECK_EQUAL(error_of([] { netlink_dump(Bytes(5)); }), EINVAL);
  CHECK(netlink_request({}).empty());
}

TEST(a_message_beyond_the_send_buffer_fails_alone) {
  Bytes huge = set_mtu("lo", 1500);
  huge.resize(8 << 20);
  const auto length = static_cast<uint32_t>(huge.size());
  std::memcpy(huge.data(), &length, sizeof length);
  const auto replies = netlink_request({set_mtu("lo", 1400), huge, set_mtu("lo", 1300)});
  CHECK_EQUAL(replies[0].number, 0);
  CHECK_EQUAL(replies[1].number, EMSGSIZE);
  CHECK_EQUAL(replies[2].number, 0);
  CHECK_EQUAL(find_link("lo").mtu, 1300u);
}

TEST(thousands_of_messages_are_all_acknowledged) {
  std::vector<Bytes> messages;
  for (uint32_t i = 0; i < 5000; ++i) messages.push_back(set_mtu(i % 2 ? "lo" : "nosuchlink", 1000 + i));
  const auto replies = netlink_request(messages);
  for (size_t i = 0; i < replies.size(); ++i) CHECK_EQUAL(replies[i].number, i % 2 ? 0 : ENODEV);
  CHECK_EQUAL(find_link("lo").mtu, 5999u);
}

TEST(lost_acknowledgements_are_told_and_nothing_hangs) {
  NetlinkLimits limits;
  limits.receive_buffer = 1;  // the kernel makes it its minimum, about 2 KiB
  limits.messages_per_send = 300;
  std::vector<Bytes> messages;
  for (uint32_t i = 0; i < 900; ++i) messages.push_back(set_mtu("lo", 1000 + i));
  const auto replies = netlink_request(messages, limits);
  int acknowledged = 0, lost = 0;
  for (const Reply& reply : replies) {
    acknowledged += reply.number == 0;
    lost += reply.number == ENOBUFS;
  }
  CHECK_EQUAL(acknowledged + lost, 900);
  CHECK(lost > 800);
  CHECK(acknowledged >= 3);                 // each of the three sends starts with an empty queue
  CHECK_EQUAL(find_link("lo").mtu, 1899u);  // all were carried out
}

TEST(a_dump_has_every_link_once) {
  std::vector<Bytes> messages;
  for (int i = 0; i < 100; ++i) messages.push_back(new_link("bridge", "b" + std::to_string(i)));
  for (const Reply& reply : netlink_request(messages)) CHECK_EQUAL(reply.number, 0);
  CHECK_EQUAL(count_links(), 101);
  CHECK(!netlink_dump(get_links()).interrupted);
}

TEST(a_refused_dump_says_why) {
  Bytes message = get_links();
  set_link_index(message, 1);  // strict checking refuses what a dump would ignore
  try {
    netlink_dump(message);
    CHECK(false);
  } catch (const SystemError& error) {
    CHECK_EQUAL(error.number, EINVAL);
    CHECK(!error.extack.empty());
  }
}

TEST(dumps_end_while_links_come_and_go) {
  std::vector<Bytes> messages;
  for (int i = 0; i < 200; ++i) messages.push_back(new_link("bridge", "b" + std::to_string(i)));
  netlink_request(messages);
  std::atomic<bool> stop{false};
  std::thread changer([&] {
    while (!stop) {
      netlink_request({new_link("bridge", "x"), new_link("bridge", "y")});
      netlink_request({delete_link(find_link("x").index), delete_link(find_link("y").index)});
    }
  });
  int interrupted = 0;
  for (int i = 0; i < 300; ++i) interrupted += netlink_dump(get_links()).interrupted;
  stop = true;
  changer.join();
  CHECK_EQUAL(count_links(), 201);
  CHECK(interrupted > 0);
}
