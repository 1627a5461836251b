// Tables for spreadsheets. Numbers in full precision, a point as the decimal separator.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "reports/escape.h"
#include "reports/formats.h"
#include "reports/words.h"

namespace ckpt::reports {
namespace {

using results::Results;

std::string value(double v) {
  if (std::isnan(v)) return "NaN";
  if (std::isinf(v)) return v > 0 ? "Infinity" : "-Infinity";
  return fmt::format("{}", v);
}

std::string value(const std::optional<double>& v) {
  return v ? value(*v) : std::string{};
}

std::string findings(const Results& r) {
  std::string out;
  for (const results::Finding& f : r.findings) {
    const results::Location* w = main_place(f);
    out += fmt::format("{},{},{},{},{},{},{},{},{},{},{},{},{},{},{}\n", csv(r.target.input),
                       csv(f.code), csv(f.name), results::severity_name(f.severity), csv(f.status),
                       csv(f.message), csv(f.subject), f.count, csv(w == nullptr ? "" : w->file),
                       w == nullptr ? 0 : w->line, w == nullptr ? 0 : w->column,
                       csv(fmt::format("{}", fmt::join(effect_lines(f), "; "))), csv(f.fix),
                       f.repairable, f.fingerprint());
  }
  return out;
}

std::string gates(const Results& r) {
  std::string out;
  for (const results::Gate& g : r.gates) {
    out += fmt::format("{},{},{},{},{},{},{},{},{}\n", csv(r.target.input), csv(g.name), csv(g.op),
                       value(g.limit), value(g.value), value(g.lower), value(g.upper),
                       csv(g.status), csv(g.code));
  }
  return out;
}

std::string layers(const Results& r) {
  std::string out;
  for (const results::LayerMetrics& l : r.metrics->layers) {
    out += fmt::format("{},{},{},{},{},{},{},{},{},{},{},{}\n", csv(r.target.input), l.layer,
                       csv(l.kind), value(l.local_error), value(l.local_error_residual),
                       value(l.propagated_error), value(l.hidden_norm), value(l.router_overlap),
                       value(l.router_overlap_local), value(l.router_set_agreement),
                       l.boundary_ties, value(l.router_gate_tv));
  }
  return out;
}

std::string experts(const Results& r) {
  std::string out;
  for (const results::ExpertMetrics& e : r.metrics->experts) {
    const std::string here = e.tokens_candidate ? std::to_string(*e.tokens_candidate) : "";
    out += fmt::format("{},{},{},{},{},{},{},{},{},{}\n", csv(r.target.input), e.layer, e.expert,
                       e.tokens, value(e.error), value(e.saliency), value(e.output_norm),
                       value(e.mean_gate), e.super_expert, here);
  }
  return out;
}

std::string costs(const Results& r) {
  std::string out;
  if (!r.metrics->attribution) return out;
  for (const results::Cost& c : r.metrics->attribution->costs) {
    out += fmt::format("{},{},{},{},{},{},{},{},{},{}\n", csv(r.target.input), csv(c.kind), c.layer,
                       c.expert, csv(c.module_class), value(c.kl), value(c.se), value(c.gain),
                       c.bytes_reference, c.bytes_candidate);
  }
  return out;
}

std::string tokens(const Results& r) {
  std::string out;
  if (!r.metrics->over_text) return out;
  for (const results::WorstPosition& w : r.metrics->over_text->positions) {
    std::string before;
    for (const results::TokenKl& t : w.context) before += t.text;
    out +=
        fmt::format("{},{},{},{},{},{},{},{},{},{}\n", csv(r.target.input), w.sequence, w.position,
                    value(w.kl), csv(w.reference_token), value(w.reference_p),
                    csv(w.candidate_token), value(w.candidate_p), csv(w.next_token), csv(before));
  }
  return out;
}

std::string histogram(const Results& r) {
  std::string out;
  if (!r.metrics->over_text) return out;
  const results::OverText& o = *r.metrics->over_text;
  for (std::size_t i = 0; i < o.bin_counts.size() && i + 1 < o.bin_edges.size(); ++i) {
    out += fmt::format("{},{},{},{}\n", csv(r.target.input), value(o.bin_edges[i]),
                       value(o.bin_edges[i + 1]), o.bin_counts[i]);
  }
  return out;
}

std::string headroom(const Results& r) {
  std::string out;
  for (const results::Headroom& h : r.metrics->headroom) {
    out += fmt::format("{},{},{},{},{},{},{}\n", csv(r.target.input), h.layer, csv(h.point),
                       value(h.max_abs_reference), value(h.max_abs_candidate),
                       h.above_f16_reference, h.above_f16_candidate);
  }
  return out;
}

struct Table {
  std::string_view name;
  std::string_view header;
  std::string (*rows)(const Results& r);
  bool of_metrics = true;
};

constexpr Table kTables[] = {
    {"findings",
     "target,code,name,severity,status,message,subject,count,file,line,column,effects,fix,"
     "repairable,fingerprint",
     findings, false},
    {"gates", "target,name,op,limit,value,lower,upper,status,code", gates, false},
    {"layers",
     "target,layer,kind,local_error,local_error_residual,propagated_error,hidden_norm,"
     "router_overlap,router_overlap_local,router_set_agreement,boundary_ties,router_gate_tv",
     layers},
    {"experts",
     "target,layer,expert,tokens,error,saliency,output_norm,mean_gate,super_expert,"
     "tokens_candidate",
     experts},
    {"costs", "target,kind,layer,expert,class,kl,se,gain,bytes_reference,bytes_candidate", costs},
    {"tokens",
     "target,sequence,position,kl,reference_token,reference_p,candidate_token,candidate_p,"
     "next_token,context",
     tokens},
    {"histogram", "target,from,to,positions", histogram},
    {"headroom",
     "target,layer,point,max_abs_reference,max_abs_candidate,above_f16_reference,"
     "above_f16_candidate",
     headroom},
};

}  // namespace

std::vector<std::string> table_names() {
  std::vector<std::string> names;
  for (const Table& t : kTables) names.emplace_back(t.name);
  return names;
}

Result<std::string> render_csv(const ResultsList& all, const Options& options) {
  const auto* table = std::ranges::find(kTables, options.table, &Table::name);
  if (table == std::end(kTables)) {
    return fail(ErrorKind::usage, fmt::format("no table `{}`; there are {}", options.table,
                                              fmt::join(table_names(), ", ")));
  }
  std::string out = std::string(table->header) + "\n";
  for (const Results& r : all) {
    if (table->of_metrics && !r.metrics) {
      return fail(ErrorKind::not_found,
                  fmt::format("the table `{}` needs the results of `ckpt-check kl`", table->name));
    }
    out += table->rows(r);
  }
  return out;
}

}  // namespace ckpt::reports
