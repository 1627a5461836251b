#include "validator/container/safetensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "validator/base/bits.h"
#include "validator/base/limits.h"
#include "validator/base/text.h"
#include "validator/container/scan.h"
#include "validator/container/sniff.h"

namespace ckpt::container {
namespace {

std::string shape_text(std::span<const std::uint64_t> shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

/// Reads one header; `h_` collects facts and defects.
class HeaderReader {
 public:
  HeaderReader(const File& file, const std::string& name, Header& header)
      : file_(file), name_(name), h_(header) {}

  void run() {
    if (!frame() || !read()) return;
    if (!scan()) {
      found_ = {};
      if (!parse()) return;
      entries();
    }
    ranges();
    h_.text = std::move(text_);
  }

 private:
  const File& file_;
  const std::string& name_;
  Header& h_;
  std::uint64_t data_begin_ = 0;
  std::shared_ptr<HeaderText> text_ = std::make_shared<HeaderText>();
  HeaderScan found_;  ///< only those of a flawless header, or all whose range is known
  bool skipped_entries_ = false;

  void defect(DefectKind kind, std::string message, std::uint64_t offset = 0,
              std::string_view tensor = {}) {
    h_.defects.push_back({kind, name_, std::string(tensor), {}, offset, std::move(message)});
  }

  void not_a_container(DefectKind kind, const std::string& why) {
    const std::string what = sniff(file_);
    if (what.empty()) {
      defect(kind, why);
    } else {
      defect(DefectKind::not_safetensors, fmt::format("the file is {}", what));
    }
  }

  bool frame() {
    if (file_.size() < 8) {
      not_a_container(DefectKind::header_length,
                      fmt::format("{} bytes, a safetensors file has at least 8", file_.size()));
      return false;
    }
    std::array<std::byte, 8> prefix{};
    if (auto r = file_.read(0, prefix); !r) {
      defect(DefectKind::unreadable, r.error().message);
      return false;
    }
    const auto n = load<std::uint64_t>(prefix.data());
    if (n > limits::kHeaderBytes || 8 + n > file_.size()) {
      not_a_container(
          DefectKind::header_length,
          n > limits::kHeaderBytes
              ? fmt::format("the header length says {} bytes, the limit is {}", n,
                            limits::kHeaderBytes)
              : fmt::format("the header length says {} bytes, the file has {}", n, file_.size()));
      return false;
    }
    h_.header_bytes = n;
    data_begin_ = 8 + n;
    if (n > limits::kHeaderBytesHub) {
      defect(DefectKind::header_large, fmt::format("the header has {} bytes, hub tools stop at {}",
                                                   n, limits::kHeaderBytesHub));
    }
    return true;
  }

  bool read() {
    auto text = read_buffer(file_, 8, h_.header_bytes);
    if (!text) {
      defect(DefectKind::unreadable, text.error().message);
      return false;
    }
    text_->text = *std::move(text);
    return true;
  }

  /// The usual case: a header without a flaw. False: the text must be judged as a tree.
  bool scan() {
    if (!scan_header(text_->text.view(), found_)) return false;
    if (found_.metadata.empty()) return true;
    const auto metadata = json::parse(std::string(found_.metadata));
    return metadata && read_format((*metadata)->root());
  }

  bool read_format(const json::Value& metadata) {
    bool strings = true;
    metadata.each_member([&](const json::Member& item) {
      strings = strings && item.value.is(json::Kind::string);
      if (strings && item.name == "format") h_.format_metadata = *item.value.string();
    });
    return strings && metadata.document()->duplicates().empty();
  }

  bool parse() {
    const std::string_view text = text_->text.view();
    const bool leading_space = !text.empty() && text[0] != '{';
    auto parsed = json::parse(std::string(text));
    if (!parsed) {
      not_a_container(DefectKind::header_text,
                      fmt::format("the header is no JSON: {}", parsed.error().message));
      return false;
    }
    text_->document = *parsed;
    if (!text_->document->root().is(json::Kind::object)) {
      defect(DefectKind::header_text, fmt::format("the header is {} {}, it must be an object", "an",
                                                  json::kind_name(text_->document->root().kind())));
      return false;
    }
    if (leading_space) {
      defect(DefectKind::irregular, "white space before the header's opening brace", 8);
    }
    for (const json::Duplicate& d : text_->document->duplicates()) {
      defect(DefectKind::duplicate_name,
             fmt::format("the header has two entries `{}`, at bytes {} and {}", shown(d.key),
                         8 + d.first_offset, 8 + d.offset),
             8 + d.offset, d.key);
    }
    return true;
  }

  void metadata(const json::Member& m) {
    if (m.value.is(json::Kind::null)) return;
    if (!m.value.is(json::Kind::object)) {
      defect(DefectKind::metadata, "`__metadata__` is not an object of strings",
             8 + m.value.offset());
      return;
    }
    m.value.each_member([this](const json::Member& item) {
      const auto text = item.value.string();
      if (!text) {
        defect(DefectKind::metadata,
               fmt::format("`__metadata__` `{}` is {}, it must be a string", shown(item.name),
                           json::kind_name(item.value.kind())),
               8 + item.value.offset());
      } else if (item.name == "format") {
        h_.format_metadata = std::string(*text);
      }
    });
  }

  void entries() {
    text_->document->root().each_member([this](const json::Member& m) {
      if (m.name == "__metadata__") {
        metadata(m);
      } else {
        entry(m);
      }
    });
  }

  void bad_entry(const json::Member& m, DefectKind kind, const std::string& why) {
    skipped_entries_ = true;
    defect(kind, fmt::format("`{}`: {}", shown(m.name), why), 8 + m.value.offset(), m.name);
  }

  void check_name(const json::Member& m) {
    if (m.name.size() > limits::kNameWarnBytes) {
      defect(DefectKind::name_odd, fmt::format("a tensor name of {} bytes", m.name.size()),
             8 + m.key.offset(), m.name);
    } else if (shown(m.name, m.name.size()) != m.name) {
      defect(DefectKind::name_odd,
             fmt::format("control or invisible characters in the name `{}`", shown_ascii(m.name)),
             8 + m.key.offset(), m.name);
    }
  }

  static bool read_shape(const json::Value& value, Shape& shape) {
    if (!value.is(json::Kind::array) || value.size() > limits::kRank) return false;
    bool good = true;
    value.each([&](const json::Value& v) {
      const auto d = v.unsigned_integer();
      good = good && d.has_value();
      shape.push_back(d.value_or(0));
    });
    return good;
  }

  void entry(const json::Member& m) {
    check_name(m);
    if (!m.value.is(json::Kind::object)) {
      return bad_entry(m, DefectKind::entry, "the entry is not an object");
    }
    json::Value dtype;
    json::Value shape;
    json::Value offsets;
    bool extra = false;
    m.value.each_member([&](const json::Member& f) {
      if (f.name == "dtype") {
        dtype = f.value;
      } else if (f.name == "shape") {
        shape = f.value;
      } else if (f.name == "data_offsets") {
        offsets = f.value;
      } else {
        extra = true;
      }
    });
    if (extra) {
      defect(DefectKind::irregular, fmt::format("`{}`: unknown field in the entry", shown(m.name)),
             8 + m.value.offset(), m.name);
    }
    if (!dtype.is(json::Kind::string)) {
      return bad_entry(m, DefectKind::entry, "`dtype` is missing or not a string");
    }
    const auto parsed = parse_dtype(*dtype.string());
    if (!parsed) {
      return bad_entry(m, DefectKind::unknown_dtype,
                       fmt::format("unknown dtype `{}`", shown(*dtype.string(), 40)));
    }
    Shape dims;
    if (!read_shape(shape, dims)) {
      return bad_entry(m, DefectKind::entry,
                       "`shape` is not an array of at most 64 integers from 0 to 2^64-1");
    }
    Shape range;
    if (!read_shape(offsets, range) || range.size() != 2) {
      return bad_entry(m, DefectKind::entry, "`data_offsets` is not a pair of integers");
    }
    place(m, *parsed, dims, range[0], range[1]);
  }

  void place(const json::Member& m, Dtype dtype, const Shape& dims, std::uint64_t begin,
             std::uint64_t end) {
    const std::uint64_t data_bytes = file_.size() - data_begin_;
    if (end < begin) {
      return bad_entry(m, DefectKind::overlap,
                       fmt::format("`data_offsets` [{}, {}] end before they begin", begin, end));
    }
    const auto want = byte_count(dtype, dims);
    if (!want || *want != end - begin) {
      bad_entry(m, DefectKind::size_mismatch,
                fmt::format("`data_offsets` [{}, {}] span {} bytes, shape {} of {} needs {}", begin,
                            end, end - begin, shape_text(dims), dtype_name(dtype),
                            want ? std::to_string(*want) : "more than 2^64 or no whole number"));
    }
    // Kept also when beyond the end of the file: its range still tells holes from truncation.
    if (end > data_bytes && begin > data_bytes && end - begin > (1ULL << 62))
      skipped_entries_ = true;
    found_.tensors.push_back({m.name, begin, end, static_cast<std::uint32_t>(found_.dims.size()),
                              static_cast<std::uint16_t>(dims.size()), dtype});
    found_.dims.insert(found_.dims.end(), dims.begin(), dims.end());
  }

  /// Contiguity, then the end of the file; keeps the tensors that lie inside it.
  void ranges() {
    std::vector<std::uint32_t> order(found_.tensors.size());
    std::iota(order.begin(), order.end(), 0U);
    const auto key = [this](std::uint32_t i) {
      return std::tie(found_.tensors[i].begin, found_.tensors[i].end);
    };
    if (!std::ranges::is_sorted(order, {}, key)) std::ranges::sort(order, {}, key);
    std::uint64_t at = 0;
    const ScannedTensor* previous = nullptr;
    for (const std::uint32_t i : order) {
      const ScannedTensor& t = found_.tensors[i];
      if (t.begin < at) {
        defect(DefectKind::overlap,
               fmt::format("`{}` begins at data byte {}, inside `{}` which ends at {}",
                           shown(t.name), t.begin, shown(previous->name), at),
               0, t.name);
      } else if (t.begin > at && !skipped_entries_) {
        defect(DefectKind::hole,
               fmt::format("{} bytes before `{}` belong to no tensor", t.begin - at, shown(t.name)),
               data_begin_ + std::min(at, file_.size()), t.name);
      }
      if (t.end >= at) {
        at = t.end;
        previous = &t;
      }
    }
    end_of_file(at, order);
  }

  void end_of_file(std::uint64_t last_end, const std::vector<std::uint32_t>& order) {
    const std::uint64_t data_bytes = file_.size() - data_begin_;
    const std::vector<ScannedTensor>& found = found_.tensors;
    if (last_end > data_bytes) {
      const auto first =
          std::ranges::find_if(order, [&](std::uint32_t i) { return found[i].end > data_bytes; });
      defect(DefectKind::truncated,
             fmt::format("{} bytes, its header describes {}: {} are missing, from inside `{}` on",
                         file_.size(), data_begin_ + last_end, last_end - data_bytes,
                         shown(found[*first].name)),
             file_.size(), found[*first].name);
    } else if (last_end < data_bytes && !skipped_entries_) {
      defect(
          DefectKind::hole,
          fmt::format("{} bytes after the last tensor belong to no tensor", data_bytes - last_end),
          data_begin_ + last_end);
    }
    text_->dims = std::move(found_.dims);
    const std::span<const std::uint64_t> dims(text_->dims);
    h_.tensors.reserve(found.size());
    for (const ScannedTensor& t : found) {
      if (t.end > data_bytes) continue;
      h_.tensors.push_back({.name = t.name,
                            .shape = ShapeView(dims.subspan(t.dims, t.rank)),
                            .begin = t.begin + data_begin_,
                            .end = t.end + data_begin_,
                            .dtype = t.dtype});
    }
  }
};

}  // namespace

Header read_header(const File& file, const std::string& name) {
  Header header;
  HeaderReader(file, name, header).run();
  return header;
}

}  // namespace ckpt::container
