#include "netlink.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <cstring>

namespace tuntap {
namespace {

// The kernel works a request off before send returns, so this only guards against a hang that should not be.
constexpr timeval receive_timeout{10, 0};

template <typename T>
T load(const uint8_t* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

void store_header(Bytes& message, const nlmsghdr& header) {
  std::memcpy(message.data(), &header, sizeof header);
}

/// One message whose stated length is its real one; otherwise it would shift its neighbours in a batch.
bool well_formed(const Bytes& message) {
  return message.size() >= NLMSG_HDRLEN && load<nlmsghdr>(message.data()).nlmsg_len == message.size();
}

/// rtnetlink types come in fours: NEW, DEL, GET, SET.
bool is_get(const nlmsghdr& header) { return header.nlmsg_type >= RTM_BASE && header.nlmsg_type % 4 == 2; }

void append_aligned(Bytes& to, const uint8_t* from, size_t size) {
  to.insert(to.end(), from, from + size);
  to.resize(NLMSG_ALIGN(to.size()));
}

class Socket {
 public:
  explicit Socket(const NetlinkLimits& limits)
      : socket_(descriptor_or_throw(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), "socket")) {
    // Options that an old kernel lacks are left out: answers get shorter, not wrong.
    option(SOL_NETLINK, NETLINK_EXT_ACK, 1);
    option(SOL_NETLINK, NETLINK_CAP_ACK, 1);
    option(SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1);
    if (!option(SOL_SOCKET, SO_RCVBUFFORCE, limits.receive_buffer)) {
      option(SOL_SOCKET, SO_RCVBUF, limits.receive_buffer);
    }
    ::setsockopt(socket_.number(), SOL_SOCKET, SO_RCVTIMEO, &receive_timeout, sizeof receive_timeout);
    sockaddr_nl self{};
    self.nl_family = AF_NETLINK;
    if (::bind(socket_.number(), reinterpret_cast<sockaddr*>(&self), sizeof self) < 0) {
      throw SystemError{errno, "bind", {}, {}};
    }
  }

  /// 0 or errno.
  int send(const Bytes& bytes) {
    sockaddr_nl kernel{};
    kernel.nl_family = AF_NETLINK;
    for (;;) {
      if (::sendto(socket_.number(), bytes.data(), bytes.size(), 0, reinterpret_cast<sockaddr*>(&kernel),
                   sizeof kernel) >= 0) {
        return 0;
      }
      if (errno != EINTR) return errno;
    }
  }

  /// Receives one datagram of the kernel. 0 or errno: ENOBUFS, answers were dropped; EAGAIN, nothing came.
  int receive(int flags) {
    for (;;) {
      ssize_t size = ::recv(socket_.number(), nullptr, 0, flags | MSG_PEEK | MSG_TRUNC);
      if (size >= 0) {
        if (buffer_.size() < static_cast<size_t>(size)) buffer_.resize(size);
        sockaddr_nl from{};
        socklen_t length = sizeof from;
        size = ::recvfrom(socket_.number(), buffer_.data(), buffer_.size(), flags,
                          reinterpret_cast<sockaddr*>(&from), &length);
        if (size >= 0 && from.nl_pid != 0) continue;  // any process may send here; only the kernel is heard
      }
      if (size < 0 && errno == EINTR) continue;
      received_ = size < 0 ? 0 : size;
      return size < 0 ? errno : 0;
    }
  }

  /// Calls visit(header, message) for each whole message of the last datagram.
  template <typename Visit>
  void each(Visit visit) const {
    for (size_t at = 0; at + NLMSG_HDRLEN <= received_;) {
      const auto header = load<nlmsghdr>(&buffer_[at]);
      if (header.nlmsg_len < NLMSG_HDRLEN || header.nlmsg_len > received_ - at) return;
      visit(header, &buffer_[at]);
      at += NLMSG_ALIGN(header.nlmsg_len);
    }
  }

 private:
  bool option(int level, int name, int value) {
    return ::setsockopt(socket_.number(), level, name, &value, sizeof value) == 0;
  }

  Descriptor socket_;
  // The kernel fills dump datagrams as far as the reader's buffer goes, up to 32 KiB.
  Bytes buffer_ = Bytes(32 * 1024);
  size_t received_ = 0;
};

/// NLMSGERR_ATTR_MSG and NLMSGERR_ATTR_OFFS, from `at` to the end of the message.
void read_extack(const uint8_t* message, const nlmsghdr& header, size_t at, Reply& reply) {
  if (!(header.nlmsg_flags & NLM_F_ACK_TLVS)) return;
  while (at + NLA_HDRLEN <= header.nlmsg_len) {
    const auto attribute = load<nlattr>(message + at);
    if (attribute.nla_len < NLA_HDRLEN || attribute.nla_len > header.nlmsg_len - at) return;
    const uint8_t* payload = message + at + NLA_HDRLEN;
    const size_t size = attribute.nla_len - NLA_HDRLEN;
    if (attribute.nla_type == NLMSGERR_ATTR_MSG) {
      const char* text = reinterpret_cast<const char*>(payload);
      reply.extack.assign(text, strnlen(text, size));
    } else if (attribute.nla_type == NLMSGERR_ATTR_OFFS && size >= sizeof(uint32_t)) {
      reply.offset = load<uint32_t>(payload);
    }
    at += NLA_ALIGN(attribute.nla_len);
  }
}

/// Of NLMSG_ERROR and NLMSG_DONE, which both begin with a negative errno or 0.
Reply read_reply(const uint8_t* message, const nlmsghdr& header) {
  Reply reply;
  size_t at = NLMSG_HDRLEN + sizeof(int32_t);
  if (header.nlmsg_len < at) {
    reply.number = header.nlmsg_type == NLMSG_DONE ? 0 : EBADMSG;
    return reply;
  }
  reply.number = -load<int32_t>(message + NLMSG_HDRLEN);
  if (header.nlmsg_type == NLMSG_ERROR) {
    if (header.nlmsg_len < NLMSG_HDRLEN + sizeof(nlmsgerr)) return reply;
    const auto refused = load<nlmsgerr>(message + NLMSG_HDRLEN).msg;
    at = NLMSG_HDRLEN + sizeof(nlmsgerr);
    if (!(header.nlmsg_flags & NLM_F_CAPPED) && refused.nlmsg_len > NLMSG_HDRLEN) {
      at += NLMSG_ALIGN(refused.nlmsg_len - NLMSG_HDRLEN);
    }
  }
  read_extack(message, header, at, reply);
  return reply;
}

/// Waits for `outstanding` acknowledgements. What was lost or does not come keeps its ENOBUFS.
void collect(Socket& socket, size_t outstanding, std::vector<Reply>& replies) {
  bool lost = false;
  while (outstanding > 0) {
    // After a loss only what is already queued is read: the rest will never come.
    const int error = socket.receive(lost ? MSG_DONTWAIT : 0);
    if (error == ENOBUFS) {
      lost = true;
      continue;
    }
    if (error != 0) return;
    socket.each([&](const nlmsghdr& header, const uint8_t* message) {
      const bool ours = header.nlmsg_seq >= 1 && header.nlmsg_seq <= replies.size();
      if (header.nlmsg_type != NLMSG_ERROR || !ours || outstanding == 0) return;
      replies[header.nlmsg_seq - 1] = read_reply(message, header);
      --outstanding;
    });
  }
}

}  // namespace

std::vector<Reply> netlink_request(std::vector<Bytes> messages, const NetlinkLimits& limits) {
  std::vector<Reply> replies(messages.size());
  if (messages.empty()) return replies;
  Socket socket(limits);
  for (size_t next = 0; next < messages.size();) {
    Bytes batch;
    std::vector<size_t> sent;
    for (; next < messages.size() && sent.size() < limits.messages_per_send; ++next) {
      Bytes& message = messages[next];
      if (!sent.empty() && batch.size() + message.size() > limits.bytes_per_send) break;
      auto header = well_formed(message) ? load<nlmsghdr>(message.data()) : nlmsghdr{};
      // A dump is no request: its many answers would overflow, and nobody reads them here.
      if (header.nlmsg_len == 0 || (is_get(header) && (header.nlmsg_flags & NLM_F_DUMP))) {
        replies[next].number = EINVAL;
        continue;
      }
      header.nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
      header.nlmsg_seq = static_cast<uint32_t>(next + 1);
      header.nlmsg_pid = 0;
      store_header(message, header);
      append_aligned(batch, message.data(), message.size());
      sent.push_back(next);
    }
    if (sent.empty()) continue;
    if (const int error = socket.send(batch)) {
      for (const size_t index : sent) replies[index].number = error;  // none of the batch was looked at
    } else {
      collect(socket, sent.size(), replies);
    }
  }
  return replies;
}

Dump netlink_dump(Bytes message, const NetlinkLimits& limits) {
  auto header = well_formed(message) ? load<nlmsghdr>(message.data()) : nlmsghdr{};
  if (!is_get(header)) throw SystemError{EINVAL, "dump", {}, "not a GET request"};
  header.nlmsg_flags = (header.nlmsg_flags | NLM_F_REQUEST | NLM_F_DUMP) & ~NLM_F_ACK;
  header.nlmsg_seq = 1;
  header.nlmsg_pid = 0;
  store_header(message, header);

  Socket socket(limits);
  if (const int error = socket.send(message)) throw SystemError{error, "sendto", {}, {}};
  Dump dump;
  std::optional<Reply> end;
  while (!end) {
    if (const int error = socket.receive(0)) {
      throw SystemError{error == EAGAIN ? ETIMEDOUT : error, "recvfrom", {}, {}};
    }
    socket.each([&](const nlmsghdr& part, const uint8_t* bytes) {
      if (part.nlmsg_seq != 1 || end) return;
      if (part.nlmsg_flags & NLM_F_DUMP_INTR) dump.interrupted = true;
      if (part.nlmsg_type == NLMSG_DONE || part.nlmsg_type == NLMSG_ERROR) {
        end = read_reply(bytes, part);
      } else {
        append_aligned(dump.bytes, bytes, part.nlmsg_len);
      }
    });
  }
  if (end->number != 0) throw SystemError{end->number, "dump", {}, end->extack};
  return dump;
}

bool set_link_index(Bytes& message, int32_t index) {
  constexpr size_t at = NLMSG_HDRLEN + offsetof(ifinfomsg, ifi_index);
  if (message.size() < at + sizeof index) return false;
  std::memcpy(&message[at], &index, sizeof index);
  return true;
}

bool append_to_link(Bytes& message, uint16_t type, int32_t value) {
  auto header = well_formed(message) ? load<nlmsghdr>(message.data()) : nlmsghdr{};
  if (header.nlmsg_type != RTM_NEWLINK || message.size() < NLMSG_LENGTH(sizeof(ifinfomsg))) return false;
  const nlattr attribute{static_cast<uint16_t>(NLA_HDRLEN + sizeof value), type};
  message.resize(NLMSG_ALIGN(message.size()));
  append_aligned(message, reinterpret_cast<const uint8_t*>(&attribute), sizeof attribute);
  append_aligned(message, reinterpret_cast<const uint8_t*>(&value), sizeof value);
  header.nlmsg_len = static_cast<uint32_t>(message.size());
  store_header(message, header);
  return true;
}

}  // namespace tuntap
