#include "modules.h"

#include <dirent.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <memory>

namespace tuntap {
namespace {

constexpr Program modprobe{"modprobe", {"/usr/sbin/modprobe", "/sbin/modprobe", "/usr/bin/modprobe"}};
constexpr size_t name_length = 55;  // MODULE_NAME_LEN - 1, linux/module.h

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/// Neither a path nor an option.
void check_name(const std::string& name) {
  const bool fits = !name.empty() && name.size() <= name_length && name.front() != '-' &&
                    std::all_of(name.begin(), name.end(), [](char c) { return is_word(c) || c == '-'; });
  if (!fits) throw SystemError{EINVAL, "module name", name.c_str(), {}};
}

void check_parameter(const std::string& text) {
  const size_t equals = text.find('=');
  const bool fits =
      equals != std::string::npos && equals > 0 &&
      std::all_of(text.begin(), text.begin() + equals, [](char c) { return is_word(c) || c == '.'; }) &&
      std::all_of(text.begin() + equals, text.end(), [](char c) { return c > ' ' && c < 127 && c != '"'; });
  if (!fits) throw SystemError{EINVAL, "module parameter", text.c_str(), {}};
}

std::string canonical(std::string name) {
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

bool exists(const std::string& path) {
  struct stat found {};
  return ::stat(path.c_str(), &found) == 0;
}

/// The first line; none where it cannot be read.
std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

std::vector<std::string> names_in(const std::string& folder) {
  std::vector<std::string> names;
  const std::unique_ptr<DIR, int (*)(DIR*)> listing(::opendir(folder.c_str()), ::closedir);
  while (const dirent* found = listing ? ::readdir(listing.get()) : nullptr) {
    if (found->d_name[0] != '.') names.emplace_back(found->d_name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

/// `kernel/drivers/net/tun.ko.xz: …` is `tun`.
std::string module_of(const std::string& line) {
  const std::string path = line.substr(0, line.find(':'));
  const std::string file = path.substr(path.rfind('/') + 1);
  return canonical(file.substr(0, file.find(".ko")));
}

bool lists(const std::string& path, const std::string& module) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (module_of(line) == module) return true;
  }
  return false;
}

/// Whether a line of kallsyms, `ADDRESS TYPE SYMBOL`, is about the beginning of that module, and of the
/// kernel itself: a symbol of a loaded module is followed by `[MODULE]`.
bool begins(const std::string& line, const std::string& module) {
  const size_t at = line.rfind(' ') + 1;
  if (at == 0 || line.back() == ']') return false;
  const std::string symbol = line.substr(at);
  // From Linux 5.11 on, where data are listed too.
  if (symbol.rfind("__initcall__kmod_" + module + "__", 0) == 0) return true;
  for (const char* const ending :
       {"_init", "_module_init", "_init_module", "_mod_init", "_modinit", "_init_fs"}) {
    if (symbol == module + ending) return true;
  }
  return symbol == "init_" + module + "_fs";
}

/// Built-in ones without parameters have no folder in /sys/module, and without modules.builtin only the names
/// of functions tell.
bool has_init(const std::string& symbols, const std::string& module) {
  std::ifstream file(symbols);
  for (std::string line; std::getline(file, line);) {
    if (begins(line, module)) return true;
  }
  return false;
}

std::string contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

ModuleFacts read_module(const std::string& name, const ModuleRoots& roots) {
  check_name(name);
  const std::string module = canonical(name);
  ModuleFacts facts;
  facts.release = roots.release;
  if (facts.release.empty()) {
    utsname system{};
    if (::uname(&system) < 0) throw SystemError{errno, "uname", {}, {}};
    facts.release = system.release;
  }
  const std::string folder = roots.sys + "/" + module;
  const std::string installed = roots.lib + "/" + facts.release;
  facts.modular = exists(roots.proc + "/modules");
  facts.present = exists(folder);
  facts.state = first_line(folder + "/initstate");
  facts.built_in = lists(installed + "/modules.builtin", module);
  facts.available = lists(installed + "/modules.dep", module);
  if (!facts.present && !facts.built_in && !facts.available) {
    facts.initialised = has_init(roots.proc + "/kallsyms", module);
    if (!facts.initialised) facts.config = contents(roots.proc + "/config.gz");
    if (!facts.initialised && facts.config.empty())
      facts.config = contents(roots.boot + "/config-" + facts.release);
  }
  facts.releases = names_in(roots.lib);
  facts.users = names_in(folder + "/holders");
  for (const std::string& parameter : names_in(folder + "/parameters")) {
    const std::string path = folder + "/parameters/" + parameter;
    if (std::ifstream(path).good()) facts.parameters.emplace_back(parameter, first_line(path));
  }
  return facts;
}

ProgramResult load_module(const std::string& name, const std::vector<std::string>& parameters) {
  check_name(name);
  std::vector<std::string> arguments{"--", name};
  for (const std::string& parameter : parameters) {
    check_parameter(parameter);
    arguments.push_back(parameter);
  }
  return run_program(std::nullopt, modprobe, std::move(arguments), "");
}

ProgramResult unload_module(const std::string& name) {
  check_name(name);
  return run_program(std::nullopt, modprobe, {"-r", "--", name}, "");
}

}  // namespace tuntap
