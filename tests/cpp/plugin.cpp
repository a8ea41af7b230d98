// head-spread: for each image how far the lengths of its heads' contributions lie apart. An analysis in C++20.
#include <headlight/analysis.h>
#include <headlight/plugin.h>

#include <algorithm>
#include <cmath>
#include <exception>
#include <numeric>
#include <string>
#include <vector>

namespace {

enum row { IMAGES, HEADS };

const hl_option options[] = {
    {.name = "images", .type = HL_IMAGES, .help = "the images to look at"},
    {.name = "heads", .type = HL_HEADS, .fallback = "all", .help = "the heads to compare"},
};

hl_status add(const hl_ask *ask, const hl_image *image, const hl_value *heads, hl_result *result, hl_error *error) {
    std::vector<float> c(ask->model->embed_dim);
    std::vector<std::pair<double, std::string>> lengths;
    for (size_t i = 0; i < heads->count; ++i) {
        const hl_selection *head = heads->selections[i];
        hl_status status = ask->contribution(ask, image, head->components[0], c.data(), error);
        if (status != HL_OK) return status;
        lengths.emplace_back(std::sqrt(std::inner_product(c.begin(), c.end(), c.begin(), 0.0)), head->name);
    }
    std::sort(lengths.begin(), lengths.end());
    hl_item *item = result->item(result, "head-spread");
    result->text(item, "image", image->name);
    result->text(item, "longest", lengths.back().second.c_str());
    result->number(item, "spread", lengths.back().first - lengths.front().first);
    return HL_OK;
}

// No exception leaves a plugin.
hl_status run(const hl_ask *ask, const hl_value *const *values, hl_result *result, hl_error *error) {
    try {
        for (size_t i = 0; i < values[IMAGES]->count; ++i) {
            hl_status status = add(ask, values[IMAGES]->images[i], values[HEADS], result, error);
            if (status != HL_OK) return status;
        }
        return HL_OK;
    } catch (const std::bad_alloc &) {
        return hl_no_memory(error, "the lengths of contributions");
    } catch (const std::exception &thrown) {
        return hl_fail(error, HL_FAILED, "head-spread: %s", thrown.what());
    }
}

const hl_analysis_api api = {.size = sizeof api, .run = run};

} // namespace

// Exported by its declaration in the header.
const hl_plugin headlight_plugin = {
    HL_PLUGIN(HL_ANALYSIS, "head-spread", "1.0.0", "how far the lengths of heads' contributions lie apart"),
    HL_OPTIONS(options),
    .api = &api,
};
