// One page, no network, readable without scripts: what people link to.

#include <fmt/format.h>

#include <algorithm>

#include "reports/escape.h"
#include "reports/page.h"
#include "reports/words.h"
#include "validator/base/text.h"

namespace ckpt::reports {
namespace {

using results::Results;

/// `'sha256-...'` of an inline text, as a content security policy wants it.
std::string source_hash(std::string_view text) {
  const std::string hex = results::sha256_hex(text);
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  }
  return fmt::format("'sha256-{}'", base64(bytes));
}

std::string identity(const Results& r) {
  const results::CheckpointFacts& c = r.checkpoint;
  std::string out = "<dl class=\"facts\">\n";
  out += page_fact("model", c.architecture);
  if (c.layers != 0) out += page_fact("shape", shape_text(c));
  if (!c.scheme.empty()) {
    out += page_fact("scheme", c.scheme + (c.kept.empty() ? "" : "; " + c.kept + " at 16 bits"));
  }
  if (c.tensors != 0) out += page_fact("size", size_text(c));
  if (!r.target.repo_id.empty()) {
    out += page_fact("from", r.target.repo_id + " at " + r.target.revision);
  }
  if (const std::string how = depth_text(r); !how.empty()) out += page_fact("looked at", how);
  return out + "</dl>\n";
}

std::string state_class(results::LoaderState s) {
  if (s == results::LoaderState::loads_as_meant) return "pass";
  const bool mild =
      s == results::LoaderState::not_predicted || s == results::LoaderState::slow_path;
  return mild ? "warning" : "fail";
}

std::string loaders(const PageInput& in) {
  const Results& r = in.results;
  if (r.loaders.empty()) return {};
  std::string out = page_heading(in, "loaders", "Loaders");
  out +=
      "<div class=\"scroll\"><table><thead><tr><th>loader</th><th>version</th><th>what it does"
      "</th><th>because of</th></tr></thead><tbody>\n";
  for (const results::LoaderOutcome& l : r.loaders) {
    std::string why = l.note.empty() ? "" : page_prose(l.note);
    for (const std::string& code : l.codes) {
      why += fmt::format("{}<a href=\"#{}{}\">{}</a>", why.empty() ? "" : " ", html(in.prefix),
                         html(code), html(code));
    }
    out += fmt::format(
        "<tr><td><b>{}</b></td><td>{}</td><td><span class=\"badge {}\">{}</span></td><td>{}</td>"
        "</tr>\n",
        html(l.name), html(l.version), state_class(l.state), results::loader_state_words(l.state),
        why);
  }
  return out + "</tbody></table></div>\n";
}

std::string incomplete(const Results& r) {
  std::string out;
  for (const results::Incomplete& i : r.run.incomplete) {
    out += fmt::format("<p><span class=\"badge incomplete\">not looked at</span> {}: {}</p>\n",
                       html(i.what), html(i.why));
  }
  for (const std::string& n : r.notes) out += fmt::format("<p class=\"dim\">{}</p>\n", html(n));
  return out;
}

std::string article(const PageInput& in) {
  const Results& r = in.results;
  const std::string word = verdict_word(r);
  std::string lower = word;
  std::ranges::transform(lower, lower.begin(), [](char c) { return static_cast<char>(c | 0x20); });
  std::string out = fmt::format(
      "<article id=\"{}top\">\n<h1><span class=\"badge {}\">{}</span> {}</h1>\n<p>{}</p>\n",
      in.prefix, lower, word, html(r.target.input), counts_text(r));
  out += identity(r) + incomplete(r);
  out += loaders(in) + page_findings(in) + page_distance(in) + page_layers(in);
  out += page_recipe(in) + page_experts(in) + page_over_text(in) + page_how(in);
  return out + "</article>\n";
}

/// Links to the sections that are there.
std::string navigation(const std::string& body) {
  struct Section {
    std::string_view id;
    std::string_view title;
  };

  std::string out = "<a href=\"#top\"><b>ckpt-check</b></a>\n";
  for (const Section& s : {Section{"loaders", "Loaders"},
                           {"findings", "Findings"},
                           {"distance", "Distance"},
                           {"layers", "Layers"},
                           {"recipe", "Costs"},
                           {"experts", "Experts"},
                           {"text", "Over the text"},
                           {"how", "How"}}) {
    if (body.find(fmt::format("<h2 id=\"{}\">", s.id)) == std::string::npos) continue;
    out += fmt::format("<a href=\"#{}\">{}</a>\n", s.id, s.title);
  }
  return out + "<button id=\"theme\" class=\"js\" type=\"button\" hidden>theme: auto</button>\n";
}

// How to open what the page tells of in the viewer; the page does not know where its results lie.
std::string viewer_line(const ResultsList& all) {
  if (all.empty()) return {};
  return fmt::format("<p>Open in the viewer: <code>ckpt-check gui {} RESULTS.json</code></p>\n",
                     html(all[0].target.input));
}

}  // namespace

std::string page_fact(std::string_view label, const std::string& value) {
  return value.empty() ? "" : fmt::format("<dt>{}</dt><dd>{}</dd>\n", label, html(value));
}

std::string page_cell(const std::string& text) {
  return fmt::format("<td class=\"n\">{}</td>", text);
}

std::string page_heading(const PageInput& in, std::string_view id, std::string_view title) {
  return fmt::format("<h2 id=\"{}{}\">{}</h2>\n", in.prefix, id, title);
}

std::string page_prose(std::string_view text) {
  if (std::ranges::count(text, '`') % 2 != 0) return html(text);
  std::string out;
  bool code = false;
  for (std::size_t tick = 0; tick != std::string_view::npos; code = !code) {
    tick = text.find('`');
    const std::string part = html(text.substr(0, tick));
    out += code ? fmt::format("<code>{}</code>", part) : part;
    if (tick != std::string_view::npos) text.remove_prefix(tick + 1);
  }
  return out;
}

Result<std::string> render_html(const ResultsList& all, const Options& options) {
  std::string body;
  std::string title = "ckpt-check";
  for (std::size_t i = 0; i < all.size(); ++i) {
    const PageInput in{all[i], options, i == 0 ? "" : fmt::format("t{}-", i + 1)};
    body += article(in);
    if (i == 0) title = fmt::format("{} {}", verdict_word(all[i]), repo_name(all[i].target));
  }
  const std::string policy = fmt::format(
      "default-src 'none'; img-src data:; style-src {}; script-src {}; base-uri 'none'; "
      "form-action 'none'",
      source_hash(page_style()), source_hash(page_script()));
  std::string version = all.empty() ? std::string(CKPT_VERSION) : all[0].tool_version;
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"{}\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta name=\"referrer\" content=\"no-referrer\">\n<title>{}</title>\n<style>{}</style>\n"
      "</head>\n<body>\n<header class=\"bar\"><div class=\"top\">\n{}</div></header>\n<main>\n{}"
      "<footer>{}ckpt-check {}{}</footer>\n</main>\n<script>{}</script>\n</body>\n</html>\n",
      policy, html(title), page_style(), navigation(body), body, viewer_line(all), html(version),
      all.empty() || all[0].run.started.empty() ? "" : ", " + html(all[0].run.started),
      page_script());
}

}  // namespace ckpt::reports
