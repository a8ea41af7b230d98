/* See library.h. No exception leaves this file. */
#include "library.h"

#include <cstdio>
#include <exception>
#include <memory>
#include <new>
#include <sentencepiece_processor.h>
#include <string>
#include <vector>

using sentencepiece::SentencePieceProcessor;

namespace {

void say(sentence_error *error, const char *message) {
    std::snprintf(error->message, sizeof error->message, "%s", message);
}

/* 0 if `step` has said that all is well. */
template <typename Step> int guard(sentence_error *error, Step step) noexcept {
    try {
        const sentencepiece::util::Status status = step();
        if (status.ok()) return 0;
        say(error, status.message());
    } catch (const std::bad_alloc &) {
        say(error, "");
    } catch (const std::exception &thrown) {
        say(error, thrown.what());
    } catch (...) {
        say(error, "sentencepiece failed");
    }
    return 1;
}

void *open(const void *bytes, size_t count, sentence_error *error) {
    std::unique_ptr<SentencePieceProcessor> model;
    const int failed = guard(error, [&] {
        model = std::make_unique<SentencePieceProcessor>();
        return model->LoadFromSerializedProto({static_cast<const char *>(bytes), count});
    });
    return failed ? nullptr : model.release();
}

void close(void *model) {
    delete static_cast<SentencePieceProcessor *>(model);
}

int encode(const void *model, const char *text, size_t length, void (*take)(void *user, int id), void *user,
           sentence_error *error) {
    return guard(error, [&] {
        std::vector<int> ids;
        const auto status = static_cast<const SentencePieceProcessor *>(model)->Encode({text, length}, &ids);
        for (const int id : ids) take(user, id);
        return status;
    });
}

} // namespace

extern "C" {
__attribute__((visibility("default"))) extern const sentence_library headlight_sentence_library;
const sentence_library headlight_sentence_library = {open, close, encode};
}
