#include "validator/pipeline/prompts.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "tests/support.h"

namespace ckpt::pipeline {
namespace {

const std::string kModel = std::string(CKPT_FIXTURES) + "/golden/models/M-vl-mtp-bf16";

/// Writes a picture of the golden file of tests/images: 17 x 9 pixels.
void write_picture(const testing::TempDir& folder, const std::string& name,
                   std::string_view golden = "rgb.png") {
  const auto document = testing::read_json(std::string(CKPT_SOURCE) + "/tests/images/golden.json");
  REQUIRE(document != nullptr);
  document->root().find("decoded").each([&](const json::Value& v) {
    if (v.find("name").string() != golden) return;
    const std::string_view hex = *v.find("hex").string();
    std::string bytes;
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
      bytes.push_back(static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
    }
    folder.write(name, bytes);
  });
}

struct Opened {
  testing::TempDir folder;
  std::unique_ptr<OpenedRepo> repo;

  explicit Opened(const std::string& model = kModel) {
    auto opened = open_target(model);
    REQUIRE(opened);
    repo = *std::move(opened);
    write_picture(folder, "a.png");
  }

  [[nodiscard]] Result<PromptSet> read(const std::string& lines, std::uint64_t tokens = 0) const {
    folder.write("prompts.jsonl", lines);
    return read_prompts(folder.path() + "/prompts.jsonl", tokens, *repo);
  }

  [[nodiscard]] bool can_decode() const {
    const auto prompts = read(R"({"content":[{"image":"a.png"}]})");
    return prompts || prompts.error().kind != ErrorKind::unsupported;
  }
};

}  // namespace

TEST_CASE("prompts: an image becomes start, one token per row, end, where it stands") {
  const Opened o;
  if (!o.can_decode()) return;
  const auto set = o.read(
      R"({"content":[{"ids":[5,6]},{"image":"a.png"},{"ids":[7]},{"type":"image","image":"a.png"}]})"
      "\n\n"
      R"({"images":["a.png"],"content":[{"ids":[8]}]})");
  REQUIRE(set);
  // 17 x 9 pixels become 16 x 8, in blocks of 8 x 8: two rows.
  const std::vector<std::int32_t> first{5, 6, 93, 94, 94, 91, 7, 93, 94, 94, 91};
  const std::vector<std::int32_t> second{93, 94, 94, 91, 8};
  REQUIRE(set->tokens.sequences.size() == 2);
  CHECK(set->tokens.sequences[0] == first);
  CHECK(set->tokens.sequences[1] == second);
  CHECK(set->tokens.total == 16);
  REQUIRE(set->images.size() == 3);
  CHECK(set->images[1].sequence == 0);
  CHECK(set->images[1].position == 8);
  CHECK(set->images[2].sequence == 1);
  CHECK(set->images[2].position == 1);
  CHECK(set->images[0].patches().size() == 2 * 4 * 96);
  const auto last = images_of(set->images, 1, 2);
  REQUIRE(last.size() == 1);
  CHECK(last[0].sequence == 0);
}

TEST_CASE("prompts: whole ones until there are as many tokens as asked for") {
  const Opened o;
  const std::string line = R"({"content":[{"ids":[1,2,3]}]})";
  const std::string lines = line + "\n" + line + "\r\n" + line;
  CHECK(o.read(lines, 4)->tokens.total == 6);
  CHECK(o.read(lines)->tokens.total == 9);
  CHECK(o.read(lines, 100)->tokens.shorter_than_asked);
}

TEST_CASE("prompts: the digest covers the images") {
  const Opened o;
  if (!o.can_decode()) return;
  const std::string line = R"({"images":["a.png"],"content":[{"ids":[1]}]})";
  const std::string before = o.read(line)->tokens.sha256;
  CHECK(o.read(line)->tokens.sha256 == before);
  write_picture(o.folder, "a.png", "grey.png");
  CHECK(o.read(line)->tokens.sha256 != before);
}

TEST_CASE("prompts: what cannot be read names the line") {
  const Opened o;
  o.folder.write("no.png", "no picture");

  struct Wrong {
    const char* line;
    const char* message;
  };

  for (const Wrong& w : {Wrong{"{", "line 2"},
                         {"[1]", "needs a list `content`, or `text`"},
                         {R"({"content":[{"ids":[96]}]})", "outside 0 ... 95"},
                         {R"({"content":[{"ids":[1.5]}]})", "outside 0 ... 95"},
                         {R"({"content":[{"video":"a"}]})", "needs `text`, `image` or `ids`"},
                         {R"({"content":[]})", "without tokens"},
                         {R"({"images":[3],"text":"a"})", "list of file names"},
                         {R"({"images":["absent.png"],"text":"a"})", "absent.png"}}) {
    CAPTURE(w.line);
    const auto set = o.read("{\"content\":[{\"ids\":[1]}]}\n" + std::string(w.line));
    REQUIRE(!set);
    CHECK(set.error().message.find("line 2") != std::string::npos);
    CHECK(set.error().message.find(w.message) != std::string::npos);
  }
  CHECK(o.read("\n \n").error().kind == ErrorKind::usage);
  if (!o.can_decode()) return;
  const auto damaged = o.read(R"({"content":[{"image":"no.png"}]})");
  REQUIRE(!damaged);
  CHECK(damaged.error().message.find("neither PNG nor JPEG") != std::string::npos);
}

TEST_CASE("prompts: an image for a model without a vision tower is an error, text is not") {
  const Opened o(std::string(CKPT_FIXTURES) + "/golden/models/A-causallm-bf16");
  const auto set = o.read(R"({"content":[{"image":"a.png"}]})");
  REQUIRE(!set);
  CHECK(set.error().message.find("no vision tower") != std::string::npos);
  const auto text = o.read(R"({"text":"int main = 3;"})");
  if (!text) FAIL(text.error().message);
  CHECK(text->tokens.total > 2);
}

}  // namespace ckpt::pipeline
