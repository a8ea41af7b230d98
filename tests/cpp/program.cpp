// A program in C++17: lists the plugins, opens a model, and prints the cosine of an image and a text.
// Called with MODEL IMAGE TEXT.
#include <headlight/library.h>

#include <cmath>
#include <iostream>
#include <numeric>
#include <vector>

namespace {

double cosine(const std::vector<float> &a, const std::vector<float> &b) {
    auto dot = [](const std::vector<float> &x, const std::vector<float> &y) {
        return std::inner_product(x.begin(), x.end(), y.begin(), 0.0);
    };
    return dot(a, b) / std::sqrt(dot(a, a) * dot(b, b));
}

hl_status answer(const hl_ask *ask, char **words, hl_error *error) {
    std::vector<float> seen(ask->model->embed_dim), meant(ask->model->embed_dim);
    hl_image_source source{};
    source.size = sizeof source;
    source.path = words[2];
    const hl_image *image = nullptr;
    hl_status status = ask->open_image(ask, &source, &image, error);
    if (status == HL_OK) status = ask->embedding(ask, image, seen.data(), error);
    if (status == HL_OK) status = ask->encode_texts(ask, &words[3], 1, meant.data(), error);
    ask->release_image(ask, image);
    if (status == HL_OK) std::cout << "cosine " << cosine(seen, meant) << '\n';
    return status;
}

} // namespace

int main(int count, char **words) {
    if (count != 4) return 2;
    hl_error error{};
    hl_library_settings settings{};
    settings.size = sizeof settings;
    hl_library *library = nullptr;
    hl_status status = hl_library_open(&settings, &library, &error);
    for (size_t i = 0; status == HL_OK && hl_plugin_at(library, i); ++i) {
        const hl_plugin *plugin = hl_plugin_at(library, i);
        std::cout << hl_kind_name(plugin->kind) << '/' << plugin->name << '\n';
    }
    hl_ask_settings model{};
    model.size = sizeof model;
    model.model = words[1];
    model.backend = "reference";
    const hl_ask *ask = nullptr;
    if (status == HL_OK) status = hl_ask_open(library, nullptr, &model, &ask, &error);
    if (status == HL_OK) status = answer(ask, words, &error);
    if (status != HL_OK) std::cerr << error.message << '\n';
    hl_ask_close(ask);
    hl_library_close(library);
    return status == HL_OK ? 0 : 1;
}
