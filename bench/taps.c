// The floor: what a program does that knows nothing but the system calls. Each command prints the
// milliseconds that its work took, on the monotonic clock, without the start of the process.
//
//   taps create N UID   N persistent TAPs owned by UID, each with an address, up
//   taps dump           all links and all addresses, looked through
//   taps delete N       all of them, as one group
//   taps time PROGRAM…  how long another program takes, from its start to its end; what it prints is lost
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef IFF_NO_CARRIER
#define IFF_NO_CARRIER 0x0040
#endif

extern char** environ;

// Acknowledgements of one send that surely fit into the receive buffer.
enum { per_send = 128, group = 0x7a9b, skip_statistics = 1 << 3 };

static char sending[per_send * 128];
static size_t filled;
static unsigned waiting;
static int netlink;

static void die(const char* what) {
  perror(what);
  exit(1);
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1e3 + time.tv_nsec / 1e6;
}

static void connect_netlink(void) {
  const int yes = 1, room = 1 << 20;
  netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (netlink < 0) die("socket");
  setsockopt(netlink, SOL_NETLINK, NETLINK_CAP_ACK, &yes, sizeof yes);
  setsockopt(netlink, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &yes, sizeof yes);
  setsockopt(netlink, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
}

// Sends what was gathered and waits until all of it is acknowledged.
static void flush(void) {
  static char answers[32 * 1024];
  if (filled > 0 && send(netlink, sending, filled, 0) < 0) die("send");
  filled = 0;
  while (waiting > 0) {
    ssize_t left = recv(netlink, answers, sizeof answers, 0);
    if (left < 0) die("recv");
    for (struct nlmsghdr* at = (void*)answers; NLMSG_OK(at, left); at = NLMSG_NEXT(at, left)) {
      if (at->nlmsg_type != NLMSG_ERROR) continue;
      errno = -((struct nlmsgerr*)NLMSG_DATA(at))->error;
      if (errno != 0) die("the kernel refused");
      --waiting;
    }
  }
}

// Begins a message in the buffer; its fixed part is zero.
static struct nlmsghdr* message(int type, int flags, size_t fixed) {
  if (waiting == per_send) flush();
  struct nlmsghdr* header = memset(sending + filled, 0, NLMSG_LENGTH(fixed));
  header->nlmsg_len = NLMSG_LENGTH(fixed);
  header->nlmsg_type = type;
  header->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
  return header;
}

static void attribute(struct nlmsghdr* header, int type, const void* bytes, size_t size) {
  struct rtattr* at = (void*)((char*)header + NLMSG_ALIGN(header->nlmsg_len));
  at->rta_type = type;
  at->rta_len = RTA_LENGTH(size);
  memcpy(RTA_DATA(at), bytes, size);
  header->nlmsg_len = NLMSG_ALIGN(header->nlmsg_len) + RTA_ALIGN(at->rta_len);
}

static void finish(struct nlmsghdr* header) {
  filled += NLMSG_ALIGN(header->nlmsg_len);
  ++waiting;
}

static int make_tap(int number, unsigned owner, int names) {
  struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_TUN_EXCL | IFF_NO_CARRIER};
  snprintf(request.ifr_name, sizeof request.ifr_name, "tap%d", number);
  const int tun = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
  if (tun < 0) die("/dev/net/tun");
  if (ioctl(tun, TUNSETIFF, &request) < 0) die("TUNSETIFF");
  if (ioctl(tun, TUNSETOWNER, owner) < 0) die("TUNSETOWNER");
  if (ioctl(tun, TUNSETPERSIST, 1) < 0) die("TUNSETPERSIST");
  close(tun);
  if (ioctl(names, SIOCGIFINDEX, &request) < 0) die("SIOCGIFINDEX");
  return request.ifr_ifindex;
}

static void set_up(int ifindex, int number) {
  struct nlmsghdr* header = message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, sizeof(struct ifaddrmsg));
  struct ifaddrmsg* address = NLMSG_DATA(header);
  *address = (struct ifaddrmsg){.ifa_family = AF_INET, .ifa_prefixlen = 24, .ifa_index = ifindex};
  const uint32_t local = htonl(10u << 24 | (unsigned)number << 8 | 1), broadcast = local | htonl(255);
  attribute(header, IFA_LOCAL, &local, sizeof local);
  attribute(header, IFA_ADDRESS, &local, sizeof local);
  attribute(header, IFA_BROADCAST, &broadcast, sizeof broadcast);
  finish(header);

  header = message(RTM_NEWLINK, 0, sizeof(struct ifinfomsg));
  struct ifinfomsg* link = NLMSG_DATA(header);
  *link = (struct ifinfomsg){.ifi_index = ifindex, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};
  finish(header);
}

static void create(int count, unsigned owner) {
  int* const indexes = calloc(count, sizeof *indexes);
  const int names = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  for (int i = 0; i < count; ++i) indexes[i] = make_tap(i, owner, names);
  for (int i = 0; i < count; ++i) set_up(indexes[i], i);
  flush();
}

// Reads one dump and looks at every attribute of every message.
static unsigned dump(const void* request, size_t size) {
  static char answers[32 * 1024];
  unsigned seen = 0;
  if (send(netlink, request, size, 0) < 0) die("send");
  for (;;) {
    ssize_t left = recv(netlink, answers, sizeof answers, 0);
    if (left < 0) die("recv");
    for (struct nlmsghdr* at = (void*)answers; NLMSG_OK(at, left); at = NLMSG_NEXT(at, left)) {
      if (at->nlmsg_type == NLMSG_DONE) return seen;
      if (at->nlmsg_type == NLMSG_ERROR) die("dump");
      const size_t fixed =
          at->nlmsg_type == RTM_NEWLINK ? sizeof(struct ifinfomsg) : sizeof(struct ifaddrmsg);
      int rest = at->nlmsg_len - NLMSG_SPACE(fixed);
      struct rtattr* inner = (void*)((char*)at + NLMSG_SPACE(fixed));
      for (; RTA_OK(inner, rest); inner = RTA_NEXT(inner, rest)) ++seen;
    }
  }
}

static void dump_all(void) {
  struct nlmsghdr* header = message(RTM_GETLINK, NLM_F_DUMP, sizeof(struct ifinfomsg));
  const uint32_t without = skip_statistics;
  header->nlmsg_flags &= ~NLM_F_ACK;
  attribute(header, IFLA_EXT_MASK, &without, sizeof without);
  unsigned seen = dump(header, header->nlmsg_len);
  header = message(RTM_GETADDR, NLM_F_DUMP, sizeof(struct ifaddrmsg));
  header->nlmsg_flags &= ~NLM_F_ACK;
  seen += dump(header, header->nlmsg_len);
  if (seen == 0) die("nothing seen");
}

static void delete (int count) {
  const uint32_t number = group;
  for (int i = 0; i < count; ++i) {
    char name[IFNAMSIZ];
    const int length = snprintf(name, sizeof name, "tap%d", i);
    struct nlmsghdr* header = message(RTM_NEWLINK, 0, sizeof(struct ifinfomsg));
    attribute(header, IFLA_IFNAME, name, length + 1);
    attribute(header, IFLA_GROUP, &number, sizeof number);
    finish(header);
  }
  flush();
  struct nlmsghdr* header = message(RTM_DELLINK, 0, sizeof(struct ifinfomsg));
  attribute(header, IFLA_GROUP, &number, sizeof number);
  finish(header);
  flush();
}

static void run(char** command) {
  pid_t child;
  int status;
  posix_spawn_file_actions_t quiet;
  posix_spawn_file_actions_init(&quiet);
  posix_spawn_file_actions_addopen(&quiet, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  errno = posix_spawnp(&child, command[0], &quiet, NULL, command, environ);
  if (errno != 0) die(command[0]);
  if (waitpid(child, &status, 0) < 0) die("waitpid");
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    fprintf(stderr, "%s failed\n", command[0]);
    exit(1);
  }
}

int main(int arguments, char** argument) {
  const char* const command = arguments > 1 ? argument[1] : "";
  const int count = arguments > 2 ? atoi(argument[2]) : 0;
  const double began = now();
  if (strcmp(command, "time") == 0 && arguments > 2) {
    run(argument + 2);
  } else {
    connect_netlink();
    if (strcmp(command, "create") == 0 && arguments == 4)
      create(count, atoi(argument[3]));
    else if (strcmp(command, "dump") == 0)
      dump_all();
    else if (strcmp(command, "delete") == 0 && arguments == 3)
      delete (count);
    else
      return 2;
  }
  printf("%.3f\n", now() - began);
  return 0;
}
