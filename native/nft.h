// nftables, by the program nft.
#pragma once

#include "programs.h"

namespace tuntap {

/// `nft -j -f -` with that input inside the namespace. What is not JSON nft would read as its own language,
/// which can name files: so only an object of JSON is let through, whose texts have no escapes (EINVAL, "nft
/// input").
ProgramResult run_nft(const NamespaceName& place, const std::string& json);

}  // namespace tuntap
