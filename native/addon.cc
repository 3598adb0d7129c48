// The N-API face: the verbs of provider/kernel/kernel.ts. Each reads its arguments here and works elsewhere.
#include "calls.h"
#include "hold.h"
#include "host.h"
#include "modules.h"
#include "netlink.h"
#include "nft.h"
#include "processes.h"
#include "tun.h"

namespace tuntap {
namespace {

// ---- from JavaScript ----

[[noreturn]] void refuse(const Napi::Value& value, const char* expected) {
  throw Napi::TypeError::New(value.Env(), std::string("expected ") + expected);
}

std::string to_text(const Napi::Value& value) {
  if (!value.IsString()) refuse(value, "a string");
  return value.As<Napi::String>().Utf8Value();
}

/// uids, gids, flags and indices: whole numbers of 32 bits.
uint32_t to_number(const Napi::Value& value) {
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : -1;
  if (!(number >= 0 && number <= UINT32_MAX) || number != static_cast<uint32_t>(number)) {
    refuse(value, "a whole number from 0 to 2^32 - 1");
  }
  return static_cast<uint32_t>(number);
}

Bytes to_bytes(const Napi::Value& value) {
  if (!value.IsBuffer()) refuse(value, "a Buffer");
  const auto buffer = value.As<Napi::Buffer<uint8_t>>();
  return Bytes(buffer.Data(), buffer.Data() + buffer.Length());
}

NamespaceName to_namespace(const Napi::Value& value) {
  if (value.IsUndefined()) return std::nullopt;
  return to_text(value);
}

template <typename T>
std::vector<T> to_list(const Napi::Value& value, T (*convert)(const Napi::Value&)) {
  if (!value.IsArray()) refuse(value, "an array");
  const auto array = value.As<Napi::Array>();
  std::vector<T> list;
  list.reserve(array.Length());
  for (uint32_t i = 0; i < array.Length(); ++i) list.push_back(convert(array[i]));
  return list;
}

template <typename T>
std::optional<T> optional(const Napi::Value& value, T (*convert)(const Napi::Value&)) {
  if (value.IsUndefined()) return std::nullopt;
  return convert(value);
}

bool to_flag(const Napi::Value& value) {
  if (!value.IsBoolean()) refuse(value, "a boolean");
  return value.As<Napi::Boolean>().Value();
}

TunOperation to_tun_operation(const Napi::Value& value) {
  if (!value.IsObject()) refuse(value, "an operation");
  const auto object = value.As<Napi::Object>();
  const auto kind = to_text(object.Get("operation"));
  if (kind != "create" && kind != "attach") refuse(value, "operation create or attach");
  TunOperation operation{};
  operation.kind = kind == "create" ? TunOperation::Kind::create : TunOperation::Kind::attach;
  operation.name = to_text(object.Get("name"));
  operation.flags = static_cast<int>(to_number(object.Get("flags")));
  if (kind == "create") {
    operation.message = optional(object.Get("message"), to_bytes);
  } else {
    operation.ifindex = static_cast<int>(to_number(object.Get("ifindex")));
  }
  operation.owner = optional(object.Get("owner"), to_number);
  operation.group = optional(object.Get("group"), to_number);
  operation.persist = optional(object.Get("persist"), to_flag);
  return operation;
}

HoldOperation to_hold_operation(const Napi::Value& value) {
  if (!value.IsObject()) refuse(value, "an operation");
  const auto object = value.As<Napi::Object>();
  const auto kind = to_text(object.Get("operation"));
  if (kind != "start" && kind != "end") refuse(value, "operation start or end");
  HoldOperation operation{};
  operation.kind = kind == "start" ? HoldOperation::Kind::start : HoldOperation::Kind::end;
  operation.name = to_text(object.Get("name"));
  operation.ifindex = static_cast<int>(to_number(object.Get("ifindex")));
  if (kind == "start") {
    operation.flags = static_cast<int>(to_number(object.Get("flags")));
    operation.lease = to_text(object.Get("lease"));
  }
  return operation;
}

// ---- to JavaScript ----

Napi::Value from(Napi::Env env, const Reply& reply) {
  Napi::Object object = Napi::Object::New(env);
  object["errno"] = reply.number;
  if (!reply.extack.empty()) object["extack"] = reply.extack;
  if (reply.offset) object["offset"] = *reply.offset;
  return object;
}

Napi::Value from(Napi::Env env, const Dump& dump) {
  Napi::Object object = Napi::Object::New(env);
  object["bytes"] = Napi::Buffer<uint8_t>::Copy(env, dump.bytes.data(), dump.bytes.size());
  object["interrupted"] = dump.interrupted;
  return object;
}

Napi::Value from(Napi::Env env, const TunResult& result) {
  Napi::Object object = Napi::Object::New(env);
  object["errno"] = result.number;
  if (!result.step.empty()) object["step"] = result.step;
  if (!result.extack.empty()) object["extack"] = result.extack;
  if (result.ifindex != 0) object["ifindex"] = result.ifindex;
  return object;
}

Napi::Value from(Napi::Env env, const ProgramResult& result) {
  Napi::Object object = Napi::Object::New(env);
  object["status"] = result.status;
  object["output"] = result.output;
  object["errors"] = result.errors;
  return object;
}

/// What is known of a module, and how a change of it ended.
struct ModuleReport {
  ModuleFacts facts;
  std::optional<ProgramResult> change;
};

Napi::Value texts(Napi::Env env, const std::vector<std::string>& list) {
  Napi::Array array = Napi::Array::New(env);
  for (const std::string& text : list) array[array.Length()] = text;
  return array;
}

Napi::Value from(Napi::Env env, const ModuleReport& report) {
  const ModuleFacts& facts = report.facts;
  Napi::Object parameters = Napi::Object::New(env);
  for (const auto& [name, value] : facts.parameters) parameters[name] = value;
  Napi::Object object = Napi::Object::New(env);
  object["release"] = facts.release;
  object["modular"] = facts.modular;
  object["present"] = facts.present;
  if (!facts.state.empty()) object["state"] = facts.state;
  object["builtIn"] = facts.built_in;
  object["available"] = facts.available;
  object["initialised"] = facts.initialised;
  if (!facts.config.empty())
    object["config"] = Napi::Buffer<char>::Copy(env, facts.config.data(), facts.config.size());
  object["releases"] = texts(env, facts.releases);
  object["users"] = texts(env, facts.users);
  object["parameters"] = parameters;
  if (report.change) object["change"] = from(env, *report.change);
  return object;
}

Napi::Value from(Napi::Env env, const HoldResult& result) {
  Napi::Object object = Napi::Object::New(env);
  object["errno"] = result.number;
  if (!result.step.empty()) object["step"] = result.step;
  if (result.pid != 0) object["pid"] = result.pid;
  if (result.status) object["status"] = *result.status;
  return object;
}

Napi::Value from(Napi::Env env, const NamespaceEntry& entry) {
  Napi::Object object = Napi::Object::New(env);
  object["name"] = entry.name;
  object["mounted"] = entry.mounted;
  object["inode"] = static_cast<double>(entry.inode);
  return object;
}

Napi::Object from(Napi::Env env, const ProcessInfo& process) {
  Napi::Object object = Napi::Object::New(env);
  object["pid"] = process.pid;
  object["command"] = process.command;
  object["uid"] = process.uid;
  return object;
}

Napi::Value from(Napi::Env env, const Holder& holder) {
  Napi::Object object = from(env, holder.process);
  object["link"] = holder.link;
  object["detached"] = holder.detached;
  object["keeper"] = holder.lease.has_value();
  if (holder.lease) object["lease"] = *holder.lease;
  return object;
}

Napi::Value from(Napi::Env env, const std::string& text) { return Napi::String::New(env, text); }

Napi::Value from(Napi::Env env, const std::optional<Account>& account) {
  if (!account) return env.Undefined();
  Napi::Object object = Napi::Object::New(env);
  object["id"] = account->id;
  object["name"] = account->name;
  return object;
}

template <typename T>
Napi::Value from(Napi::Env env, const std::vector<T>& list) {
  Napi::Array array = Napi::Array::New(env, list.size());
  for (size_t i = 0; i < list.size(); ++i) array[static_cast<uint32_t>(i)] = from(env, list[i]);
  return array;
}

template <typename T>
Outcome outcome(T result) {
  return [result = std::move(result)](Napi::Env env) -> Napi::Value { return from(env, result); };
}

Outcome nothing() {
  return [](Napi::Env env) { return env.Undefined(); };
}

/// The result of work that is done inside a namespace.
template <typename Compute>
Outcome inside(const NamespaceName& place, Compute compute) {
  decltype(compute()) result;
  in_namespace(place, [&] { result = compute(); });
  return outcome(std::move(result));
}

// ---- the verbs ----

Work request(const Napi::CallbackInfo& info) {
  return [place = to_namespace(info[0]), messages = to_list(info[1], to_bytes)] {
    return inside(place, [&] { return netlink_request(messages); });
  };
}

Work dump(const Napi::CallbackInfo& info) {
  return [place = to_namespace(info[0]), message = to_bytes(info[1])] {
    return inside(place, [&] { return netlink_dump(message); });
  };
}

Work tun(const Napi::CallbackInfo& info) {
  return [place = to_namespace(info[0]), operations = to_list(info[1], to_tun_operation)] {
    return inside(place, [&] { return run_tun_operations(operations); });
  };
}

Work hold(const Napi::CallbackInfo& info) {
  return [place = to_namespace(info[0]), operations = to_list(info[1], to_hold_operation),
          helper = info.Env().GetInstanceData<Calls>()->helper()] {
    return outcome(run_hold_operations(place, operations, helper));
  };
}

Work move(const Napi::CallbackInfo& info) {
  return [from = to_namespace(info[0]), to = to_namespace(info[1]), messages = to_list(info[2], to_bytes)] {
    return outcome(move_links(from, to, messages));
  };
}

Work list(const Napi::CallbackInfo&) {
  return [] { return outcome(list_namespaces()); };
}

Work add(const Napi::CallbackInfo& info) {
  return [name = to_text(info[0]), message = optional(info[1], to_bytes)] {
    add_namespace(name, message);
    return nothing();
  };
}

Work remove(const Napi::CallbackInfo& info) {
  return [name = to_text(info[0])] {
    remove_namespace(name);
    return nothing();
  };
}

Work processes(const Napi::CallbackInfo& info) {
  return [name = to_text(info[0])] { return outcome(find_namespace_processes(name)); };
}

Work holders(const Napi::CallbackInfo& info) {
  return [place = to_namespace(info[0])] { return outcome(find_holders(place)); };
}

Work sysctl(const Napi::CallbackInfo& info) {
  return [place = to_namespace(info[0]), name = to_text(info[1]), value = optional(info[2], to_text)] {
    return outcome(value ? write_sysctl(place, name, *value) : read_sysctl(place, name));
  };
}

Work legacy(const Napi::CallbackInfo& info) {
  return [place = to_namespace(info[0]), version = to_number(info[1])] {
    return outcome(legacy_tables(place, static_cast<int>(version)));
  };
}

Work nft(const Napi::CallbackInfo& info) {
  return [place = to_namespace(info[0]), json = to_text(info[1])] { return outcome(run_nft(place, json)); };
}

/// Reads it; with a change, does that before.
Work module(const Napi::CallbackInfo& info) {
  const std::string name = to_text(info[0]);
  if (info[1].IsUndefined()) return [name] { return outcome(ModuleReport{read_module(name), {}}); };
  if (!info[1].IsObject()) refuse(info[1], "a change");
  const auto change = info[1].As<Napi::Object>();
  const auto operation = to_text(change.Get("operation"));
  if (operation == "unload") {
    return [name] {
      const auto result = unload_module(name);
      return outcome(ModuleReport{read_module(name), result});
    };
  }
  if (operation != "load") refuse(info[1], "operation load or unload");
  return [name, parameters = to_list(change.Get("parameters"), to_text)] {
    const auto result = load_module(name, parameters);
    return outcome(ModuleReport{read_module(name), result});
  };
}

Work account(const Napi::CallbackInfo& info) {
  const std::string kind = to_text(info[0]);
  if (kind != "user" && kind != "group") refuse(info[0], "user or group");
  const auto database = kind == "user" ? Database::user : Database::group;
  if (info[1].IsNumber()) {
    return [database, id = to_number(info[1])] { return outcome(find_account(database, id)); };
  }
  return [database, name = to_text(info[1])] { return outcome(find_account(database, name)); };
}

template <Work (*read)(const Napi::CallbackInfo&)>
Napi::Value verb(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  try {
    return env.GetInstanceData<Calls>()->start(env, read(info));
  } catch (const Napi::Error& error) {
    const auto refused = Napi::Promise::Deferred::New(env);
    refused.Reject(error.Value());
    return refused.Promise();
  }
}

void initialize(const Napi::CallbackInfo& info) {
  if (!info[0].IsFunction()) refuse(info[0], "a function");
  auto* const calls = info.Env().GetInstanceData<Calls>();
  calls->set_error_factory(info[0].As<Napi::Function>());
  calls->set_helper(optional(info[1], to_text).value_or(""));
}

Napi::Object load(Napi::Env env, Napi::Object exports) {
  env.SetInstanceData(new Calls(env));
  exports["initialize"] = Napi::Function::New<initialize>(env, "initialize");
  exports["request"] = Napi::Function::New<verb<request>>(env, "request");
  exports["dump"] = Napi::Function::New<verb<dump>>(env, "dump");
  exports["tun"] = Napi::Function::New<verb<tun>>(env, "tun");
  exports["hold"] = Napi::Function::New<verb<hold>>(env, "hold");
  exports["move"] = Napi::Function::New<verb<move>>(env, "move");
  exports["listNamespaces"] = Napi::Function::New<verb<list>>(env, "listNamespaces");
  exports["addNamespace"] = Napi::Function::New<verb<add>>(env, "addNamespace");
  exports["removeNamespace"] = Napi::Function::New<verb<remove>>(env, "removeNamespace");
  exports["namespaceProcesses"] = Napi::Function::New<verb<processes>>(env, "namespaceProcesses");
  exports["holders"] = Napi::Function::New<verb<holders>>(env, "holders");
  exports["sysctl"] = Napi::Function::New<verb<sysctl>>(env, "sysctl");
  exports["legacyTables"] = Napi::Function::New<verb<legacy>>(env, "legacyTables");
  exports["nft"] = Napi::Function::New<verb<nft>>(env, "nft");
  exports["module"] = Napi::Function::New<verb<module>>(env, "module");
  exports["account"] = Napi::Function::New<verb<account>>(env, "account");
  return exports;
}

}  // namespace

NODE_API_MODULE(tuntap, load)

}  // namespace tuntap
