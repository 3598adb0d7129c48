#include "modules.h"

#include <sys/stat.h>

#include <cstdlib>
#include <fstream>

#include "check.h"

using namespace tuntap;
using namespace tuntap::test;

namespace {

/// A tree of files below /run, which is the test's own.
class Tree {
 public:
  Tree() : roots_{"/run/sys", "/run/lib", "/run/proc", "/run/boot", "6.1.0-7"} {
    for (const char* const folder : {"/run/sys", "/run/lib", "/run/proc", "/run/boot"}) ::mkdir(folder, 0755);
  }

  Tree& file(const std::string& path, const std::string& text) {
    const std::string whole = "/run/" + path;
    for (size_t slash = whole.find('/', 5); slash != std::string::npos; slash = whole.find('/', slash + 1))
      ::mkdir(whole.substr(0, slash).c_str(), 0755);
    std::ofstream(whole) << text;
    return *this;
  }

  ModuleFacts read(const std::string& name) const { return read_module(name, roots_); }

 private:
  ModuleRoots roots_;
};

}  // namespace

TEST(a_loaded_module_is_told_with_its_parameters_and_users) {
  Tree tree;
  tree.file("proc/modules", "")
      .file("sys/nf_nat/initstate", "live\n")
      .file("sys/nf_nat/parameters/size", "7\n")
      .file("sys/nf_nat/parameters/on", "Y\n")
      .file("sys/nf_nat/holders/nft_nat", "")
      .file("lib/6.1.0-7/modules.dep", "kernel/net/netfilter/nf-nat.ko.xz: kernel/lib/libcrc32c.ko\n");
  for (const char* const name : {"nf_nat", "nf-nat"}) {
    const ModuleFacts facts = tree.read(name);
    CHECK(facts.modular && facts.present && facts.available && !facts.built_in);
    CHECK_EQUAL(facts.state, "live");
    CHECK_EQUAL(facts.parameters.size(), 2u);
    CHECK_EQUAL(facts.parameters[1].first + facts.parameters[1].second, "size7");
    CHECK_EQUAL(facts.users.size(), 1u);
    CHECK_EQUAL(facts.users[0], "nft_nat");
  }
}

TEST(one_that_is_built_in_is_told_by_its_folder_or_by_modules_builtin) {
  Tree tree;
  tree.file("proc/modules", "")
      .file("sys/vxlan/parameters/udp_port", "4789\n")
      .file("lib/6.1.0-7/modules.builtin", "kernel/drivers/net/tun.ko\nkernel/net/bridge/bridge.ko\n");
  const ModuleFacts vxlan = tree.read("vxlan");
  CHECK(vxlan.present && vxlan.state.empty() && !vxlan.built_in && !vxlan.available);
  const ModuleFacts tun = tree.read("tun");
  CHECK(!tun.present && tun.built_in && !tun.initialised);
  CHECK(!tree.read("un").built_in);
  CHECK(!tree.read("tun_ko").built_in);
}

TEST(one_that_can_be_loaded_is_told_from_one_of_another_kernel) {
  Tree tree;
  tree.file("proc/modules", "")
      .file("lib/6.1.0-8/modules.dep", "kernel/drivers/net/tun.ko:\n")
      .file("lib/6.1.0-9/modules.dep", "");
  CHECK(!tree.read("tun").available);
  CHECK_EQUAL(tree.read("tun").release, "6.1.0-7");
  CHECK_EQUAL(tree.read("tun").releases.size(), 2u);
  CHECK_EQUAL(tree.read("tun").releases[0], "6.1.0-8");
  tree.file("lib/6.1.0-7/modules.dep",
            "kernel/net/vx.ko: kernel/drivers/net/other.ko\nkernel/drivers/net/tun.ko.zst:\n");
  CHECK(tree.read("tun").available);
  CHECK(!tree.read("other").available);
}

TEST(a_function_of_the_kernel_itself_tells_one_that_is_built_in) {
  Tree tree;
  tree.file(
      "proc/kallsyms",
      "0000 t __pfx_tun_init\n0000 t tun_init\n0000 t veth_init_queues\n0000 t my_bond_init\n"
      "0000 t nf_tables_module_init\n0000 t ifb_init_module\n0000 t ext4_init_fs\n0000 t init_btrfs_fs\n"
      "0000 d __initcall__kmod_br_netfilter__387_1200_br_netfilter_init6\n0000 t dummy_init\t[dummy]\n");
  CHECK(!tree.read("tun").modular);
  for (const char* const name : {"tun", "nf_tables", "nf-tables", "ifb", "ext4", "btrfs", "br_netfilter"})
    CHECK(tree.read(name).initialised);
  for (const char* const name : {"veth", "bond", "dummy", "nf", "br", "netfilter", "my"})
    CHECK(!tree.read(name).initialised);
  // Also where others can be loaded; whose files are there, is no part of the kernel.
  tree.file("proc/modules", "");
  CHECK(tree.read("tun").initialised);
  tree.file("lib/6.1.0-7/modules.dep", "kernel/drivers/net/tun.ko:\n");
  CHECK(!tree.read("tun").initialised);
}

TEST(how_the_kernel_was_configured_is_given_where_nothing_else_tells) {
  Tree tree;
  CHECK_EQUAL(tree.read("stp").config, "");
  tree.file("boot/config-6.1.0-8", "CONFIG_STP=m\n").file("boot/config-6.1.0-7", "CONFIG_STP=y\n");
  CHECK_EQUAL(tree.read("stp").config, "CONFIG_STP=y\n");
  const std::string packed("\x1f\x8b\0x", 4);
  tree.file("proc/config.gz", packed).file("proc/kallsyms", "0000 t tun_init\n").file("sys/vxlan/uevent", "");
  CHECK_EQUAL(tree.read("stp").config, packed);
  CHECK_EQUAL(tree.read("tun").config, "");
  CHECK_EQUAL(tree.read("vxlan").config, "");
}

TEST(what_is_no_name_or_parameter_of_a_module_is_refused_before_anything_runs) {
  const std::string long_name(56, 'a');
  for (const std::string& name :
       {std::string(), std::string("-r"), std::string("../x"), std::string("a/b"), std::string("a b"),
        std::string("a.ko"), std::string("a\0b", 3), long_name}) {
    CHECK_EQUAL(error_of([&] { read_module(name); }), EINVAL);
    CHECK_EQUAL(error_of([&] { load_module(name, {}); }), EINVAL);
    CHECK_EQUAL(error_of([&] { unload_module(name); }), EINVAL);
  }
  CHECK_EQUAL(error_of([&] { read_module(long_name.substr(1)); }), 0);
  for (const std::string& parameter :
       {std::string("x"), std::string("=1"), std::string("-C=1"), std::string("a=b c"), std::string("a=\"b"),
        std::string("a=b\n"), std::string("a=\0", 3)}) {
    CHECK_EQUAL(error_of([&] { load_module("tt_nosuch", {parameter}); }), EINVAL);
  }
}

TEST(modprobe_says_what_it_does_not_find) {
  ProgramResult result;
  try {
    result = load_module("tt_nosuch", {"a=1", "b.c=x,y"});
  } catch (const SystemError& error) {
    if (error.number == ENOENT) throw Skip{"needs modprobe"};
    throw;
  }
  CHECK_EQUAL(result.status, 1);
  CHECK(result.errors.find("tt_nosuch") != std::string::npos);
  CHECK_EQUAL(unload_module("tt_nosuch").status, 1);
}
