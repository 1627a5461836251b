#include "validator/pipeline/inspect.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>

#include "validator/base/glob.h"
#include "validator/base/text.h"
#include "validator/container/writer.h"
#include "validator/weights/model.h"

namespace ckpt::pipeline {

namespace {

weights::Model model_of(const OpenedRepo& o) {
  return {o.checkpoint, o.config, *o.blueprint, o.stored};
}

bool read_range(std::string_view text, std::uint64_t& begin, std::uint64_t& end) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return false;
  const auto number = [](std::string_view digits, std::uint64_t& out) {
    const auto [at, error] = std::from_chars(digits.data(), digits.data() + digits.size(), out);
    return error == std::errc{} && at == digits.data() + digits.size();
  };
  return number(text.substr(0, colon), begin) && number(text.substr(colon + 1), end) && begin < end;
}

}  // namespace

std::vector<std::uint32_t> find_tensors(const OpenedRepo& o, std::string_view pattern) {
  std::vector<std::uint32_t> out;
  const std::string anywhere = "*" + std::string(pattern) + "*";
  const auto& tensors = o.checkpoint.tensors();
  for (std::uint32_t i = 0; i < tensors.size(); ++i) {
    if (glob_matches(anywhere, tensors[i].name)) out.push_back(i);
  }
  return out;
}

std::optional<std::uint32_t> find_module(const OpenedRepo& o, std::string_view name) {
  if (!o.blueprint) return std::nullopt;
  if (const std::int32_t i = o.blueprint->find(name); i >= 0) return static_cast<std::uint32_t>(i);
  const arch::Placement p = o.blueprint->locate(name);
  const bool known = o.checkpoint.find(name) != nullptr && p.module >= 0;
  return known ? std::optional(static_cast<std::uint32_t>(p.module)) : std::nullopt;
}

Result<Slice> parse_slice(std::string_view text) {
  Slice s;
  const std::size_t comma = text.find(',');
  const bool read = comma != std::string_view::npos &&
                    read_range(text.substr(0, comma), s.row_begin, s.row_end) &&
                    read_range(text.substr(comma + 1), s.column_begin, s.column_end);
  if (read) return s;
  return fail(ErrorKind::usage, "--slice takes ROWS,COLUMNS, for example 0:8,128:136");
}

Result<InspectedWeight> inspect_weight(const OpenedRepo& o, std::uint32_t module,
                                       const OpenedRepo* reference) {
  InspectedWeight out;
  CKPT_TRY(out.parameter, model_of(o).load(module), "weight");
  CKPT_TRY(out.summary, weights::summarize(out.parameter), "weight");
  if (reference == nullptr) return out;
  const auto other = find_module(*reference, o.blueprint->modules()[module].name);
  if (!other) return fail(ErrorKind::not_found, "the reference has no such module");
  CKPT_TRY(const weights::Parameter theirs, model_of(*reference).load(*other), "reference");
  CKPT_TRY(out.error, weights::weight_error(theirs, out.parameter), "reference");
  return out;
}

Result<void> save_weight(const weights::Parameter& weight, const std::string& path) {
  const bool npy = path.ends_with(".npy");
  if (!npy && !path.ends_with(".safetensors")) {
    return fail(ErrorKind::usage, "--save takes a file that ends in .npy or .safetensors");
  }
  if (std::filesystem::exists(path)) {
    return fail(ErrorKind::usage, fmt::format("{} is there already", shown(path, 200)));
  }
  CKPT_TRY(const std::vector<float> values, weight.decode_all(), "weight");
  const auto bytes = std::as_bytes(std::span(values));
  if (!npy) {
    const container::NewTensor tensor{weight.name + ".weight", Dtype::f32, weight.shape};
    CKPT_TRY(container::Writer writer, container::Writer::create(path, {&tensor, 1}), "file");
    CKPT_TRY_VOID(writer.write(bytes), "file");
    return writer.finish();
  }
  // NumPy format 1.0: the header's length makes the data start at a multiple of 64.
  std::string shape = fmt::format("{}", fmt::join(weight.shape, ", "));
  if (weight.shape.size() == 1) shape += ',';
  std::string header =
      fmt::format("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}), }}", shape);
  constexpr std::size_t kPrefix = 10, kAlign = 64;
  header.append((kAlign - (kPrefix + header.size() + 1) % kAlign) % kAlign, ' ');
  header += '\n';
  std::ofstream out(path, std::ios::binary);
  out.write("\x93NUMPY\x01\x00", 8);
  out.put(static_cast<char>(header.size() & 0xFF));
  out.put(static_cast<char>(header.size() >> 8));
  out << header;
  out.write(reinterpret_cast<const char*>(bytes.data()),
            static_cast<std::streamsize>(bytes.size()));
  out.flush();
  if (out) return {};
  return fail(ErrorKind::io, fmt::format("{} cannot be written", shown(path, 200)));
}

}  // namespace ckpt::pipeline
