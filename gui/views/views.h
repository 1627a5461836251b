#pragma once
// The views: each draws one part and changes the state only through its functions.

#include <string>
#include <string_view>

#include "gui/state/facts.h"
#include "gui/state/figure.h"
#include "gui/views/ui.h"

namespace ckpt::gui {

void draw_shell(Ui& ui, PixelSize size);

void draw_tensor_list(Ui& ui);
void draw_finding_list(Ui& ui);
void draw_layer_list(Ui& ui);
void draw_expert_list(Ui& ui);
void draw_token_list(Ui& ui);

void draw_overview(Ui& ui);
void draw_heat_map(Ui& ui);
void draw_histogram(Ui& ui);
void draw_compare(Ui& ui);
void draw_experts(Ui& ui);
void draw_text(Ui& ui);
void draw_routing(Ui& ui);
void draw_layers(Ui& ui);

void draw_inspector(Ui& ui);
void draw_overlays(Ui& ui, PixelSize size);

// Parts that several views use.

/// Records the item drawn last.
void record(Ui& ui, std::string label);
/// A line that can be clicked; `text` may hold anything that is safe to show. True when clicked.
bool pick(Ui& ui, const std::string& label, std::string_view text, bool selected);
/// Text in the colour of a tone; with a target a link, which is followed when clicked. A click on
/// text without one copies it.
void draw_line(Ui& ui, const Line& line, const std::string& label);
/// A chart that fills `height` of the space there is; `marked` is an x value to mark, NaN for none.
/// Returns the x value that was clicked, NaN for none.
double draw_figure(Ui& ui, const Figure& figure, const std::string& label, float height,
                   double marked);
/// One pane of a heat map in the space [width, height]; answers wheel, drag and click.
void draw_matrix(Ui& ui, Source source, std::size_t slot, const std::string& label, float width,
                 float height);
/// Buttons above a heat map.
void draw_matrix_tools(Ui& ui, bool with_source);

}  // namespace ckpt::gui
