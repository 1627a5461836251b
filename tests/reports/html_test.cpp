// The page: only our elements, no address but anchors of its own, and small.

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <set>

#include "reports/escape.h"
#include "reports/formats.h"
#include "reports/page.h"
#include "tests/reports/hostile.h"

namespace ckpt::reports {
namespace {

struct Tag {
  std::string name;
  std::map<std::string, std::string> attributes;
};

/// Start tags of a page outside style and script. Attribute values are as written.
std::vector<Tag> tags_of(std::string_view page) {
  std::vector<Tag> tags;
  std::size_t at = 0;
  while ((at = page.find('<', at)) != std::string_view::npos) {
    if (page[at + 1] == '/' || page[at + 1] == '!') {
      ++at;
      continue;
    }
    Tag tag;
    std::size_t end = page.find_first_of(" >", at);
    tag.name = page.substr(at + 1, end - at - 1);
    while (page[end] == ' ') {
      const std::size_t stop = page.find_first_of("=> ", end + 1);
      const std::string key(page.substr(end + 1, stop - end - 1));
      if (page[stop] != '=') {
        tag.attributes[key];
        end = stop;
        continue;
      }
      REQUIRE(page[stop + 1] == '"');
      const std::size_t close = page.find('"', stop + 2);
      tag.attributes[key] = page.substr(stop + 2, close - stop - 2);
      end = close + 1;
      if (page[end] == '/') ++end;
    }
    const bool raw = tag.name == "style" || tag.name == "script";
    at = raw ? page.find("</" + tag.name, end) : end;
    tags.push_back(std::move(tag));
  }
  return tags;
}

std::string page_of(const ResultsList& all) {
  return *render_html(all, {});
}

results::Results plain(int layers, int experts) {
  return testing::sample_results([](std::string_view name) { return std::string(name); }, layers,
                                 experts);
}

}  // namespace

TEST_CASE("hostile text adds no element, no attribute and no address to the page") {
  const std::set<std::string> ours{
      "a",     "article", "b",      "body", "br",     "button",     "circle", "code",
      "dd",    "details", "div",    "dl",   "dt",     "figcaption", "figure", "footer",
      "h1",    "h2",      "h3",     "head", "header", "html",       "i",      "img",
      "li",    "line",    "main",   "mark", "meta",   "ol",         "p",      "path",
      "pre",   "rect",    "script", "span", "style",  "summary",    "svg",    "table",
      "tbody", "td",      "text",   "th",   "thead",  "title",      "tr",     "ul"};
  for (const results::Results& r : {testing::hostile_results(), testing::raw_results()}) {
    for (const Tag& tag : tags_of(page_of({r}))) {
      CAPTURE(tag.name);
      CHECK(ours.contains(tag.name));
      for (const auto& [key, value] : tag.attributes) {
        CAPTURE(key);
        CHECK_FALSE(key.starts_with("on"));
        CHECK(key != "style");
        if (key == "href") CHECK(value.starts_with("#"));
        if (key == "src") CHECK(value.starts_with("data:image/png;base64,"));
      }
    }
  }
}

TEST_CASE("the page says how to open it in the viewer, whatever the target is called") {
  results::Results r = plain(4, 4);
  r.target.input = "<b>./repo";
  CHECK(page_of({r}).find("<code>ckpt-check gui &lt;b&gt;./repo RESULTS.json</code>") !=
        std::string::npos);
}

TEST_CASE("the policy lets in our style and script alone") {
  const std::string page = page_of({plain(4, 4)});
  const auto hash_of = [](std::string_view text) {
    const std::string hex = results::sha256_hex(text);
    std::string bytes;
    for (std::size_t i = 0; i < hex.size(); i += 2) {
      bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
    }
    return base64(bytes);
  };
  CHECK(page.find("<style>" + std::string(page_style()) + "</style>") != std::string::npos);
  CHECK(page.find("style-src 'sha256-" + hash_of(page_style()) + "'") != std::string::npos);
  CHECK(page.find("script-src 'sha256-" + hash_of(page_script()) + "'") != std::string::npos);
  CHECK(page.find("default-src 'none'") != std::string::npos);
  CHECK(page.find("://") == std::string::npos);
}

TEST_CASE(
    "anchors: each id once, each link leads somewhere, findings, layers and experts have one") {
  results::Results r = plain(6, 8);
  r.findings.push_back(r.findings[0]);
  std::multiset<std::string> ids;
  std::set<std::string> links;
  for (const Tag& tag : tags_of(page_of({r, r}))) {
    if (const auto id = tag.attributes.find("id"); id != tag.attributes.end()) {
      ids.insert(id->second);
    }
    if (const auto link = tag.attributes.find("href"); link != tag.attributes.end()) {
      links.insert(link->second.substr(1));
    }
  }
  for (const std::string& id : ids) {
    CAPTURE(id);
    CHECK(ids.count(id) == 1);
  }
  for (const std::string& link : links) {
    CAPTURE(link);
    CHECK(ids.count(link) == 1);
  }
  for (const char* id : {"QNT004", "QNT004-2", "t2-QNT004", "layer-3", "expert-2-3"}) {
    CHECK(ids.count(id) == 1);
  }
}

TEST_CASE("60 layers of 512 experts make a page below 3 MB, 200 of them a picture") {
  const std::string large = page_of({plain(60, 512)});
  MESSAGE("60 x 512: " << large.size() << " bytes");
  CHECK(large.size() < 3'000'000);
  CHECK(large.find("class=\"map\"") != std::string::npos);
  const std::string small = page_of({plain(20, 10)});
  CHECK(small.find("class=\"map\"") == std::string::npos);
  CHECK(small.find("<title>layer 3, expert 7: ") != std::string::npos);
}

TEST_CASE("what was not measured is not on the page") {
  results::Results r = plain(4, 4);
  r.metrics.reset();
  const std::string page = page_of({r});
  CHECK(page.find("id=\"findings\"") != std::string::npos);
  for (const char* id : {"distance", "layers", "experts", "text"}) {
    CHECK(page.find("id=\"" + std::string(id) + "\"") == std::string::npos);
  }
}

}  // namespace ckpt::reports
