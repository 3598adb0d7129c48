// Sysctls and accounts.
#pragma once

#include <optional>
#include <string>

#include "namespace.h"

namespace tuntap {

struct Account {
  uint32_t id = 0;
  std::string name;
};

enum class Database { user, group };

/// By its dotted name; a slash stands for a dot inside a part, as sysctl(8) has it.
std::string read_sysctl(const NamespaceName& place, const std::string& name);

/// Writes it in one piece, and gives what it reads as afterwards.
std::string write_sysctl(const NamespaceName& place, const std::string& name, const std::string& value);

/// Tables of iptables-legacy, for IP version 4 or 6: a name a line. Empty where its module is not loaded.
std::string legacy_tables(const NamespaceName& place, int version);

std::optional<Account> find_account(Database database, const std::string& name);
std::optional<Account> find_account(Database database, uint32_t id);

}  // namespace tuntap
