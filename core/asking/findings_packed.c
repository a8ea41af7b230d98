/* What a step found as bytes and back: records of numbers of eight bytes, texts with their length and a NUL,
 * and directions as they are in memory. For this machine only. */
#include "core/asking/findings_inside.h"

#include <stdlib.h>
#include <string.h>

enum { DESCRIPTION = 1, LABEL, SPELLING, VERDICT, CUT }; /* what a record begins with */

/* ---- packing ---- */

typedef struct packer {
    uint8_t *bytes;
    size_t count, room;
    bool failed; /* no memory */
} packer;

static void put(packer *self, const void *bytes, size_t count) {
    if (self->failed) return;
    if (self->room - self->count < count) {
        size_t room = 2 * self->room + count + 256;
        uint8_t *grown = realloc(self->bytes, room);
        self->failed = !grown;
        if (!grown) return;
        self->bytes = grown;
        self->room = room;
    }
    if (count > 0) memcpy(self->bytes + self->count, bytes, count);
    self->count += count;
}

static void put_whole(packer *self, int64_t value) {
    put(self, &value, sizeof value);
}

static void put_double(packer *self, double value) {
    put(self, &value, sizeof value);
}

/* -1: there is none. */
static void put_text(packer *self, const char *text) {
    put_whole(self, text ? (int64_t)strlen(text) : -1);
    if (text) put(self, text, strlen(text) + 1);
}

static void put_description(packer *self, const hl_description *of, size_t width) {
    put_whole(self, DESCRIPTION);
    put_text(self, of->head);
    put_whole(self, of->rank);
    put_text(self, of->text);
    put_double(self, of->variance);
    put_double(self, of->total);
    put_whole(self, of->direction != NULL);
    if (of->direction) put(self, of->direction, width * sizeof *of->direction);
}

static void put_label(packer *self, const hl_label *of) {
    put_whole(self, LABEL);
    put_text(self, of->head);
    put_text(self, of->property);
    put_double(self, of->weight);
    put_text(self, of->evidence);
}

static void put_spelling(packer *self, const spelling *of) {
    put_whole(self, SPELLING);
    put_text(self, of->text);
    put_text(self, of->property);
}

static void put_verdict(packer *self, const hl_verdict *of) {
    put_whole(self, VERDICT);
    put_text(self, of->score);
    put_whole(self, of->layer);
    put_double(self, of->value);
    put_double(self, of->low);
    put_double(self, of->high);
}

static void put_cut(packer *self, const cut_text *of) {
    put_whole(self, CUT);
    put_text(self, of->text);
    put_whole(self, (int64_t)of->tokens);
}

hl_status findings_pack(const findings *self, uint8_t **bytes, size_t *count, hl_error *error) {
    packer made = {.count = 0};
    size_t width = self->model->embed_dim;
    for (size_t i = 0; i < self->description_count; ++i) {
        put_description(&made, &self->descriptions[i], width);
    }
    for (size_t i = 0; i < self->label_count; ++i) put_label(&made, &self->labels[i]);
    for (size_t i = 0; i < self->spelling_count; ++i) put_spelling(&made, &self->spellings[i]);
    for (size_t i = 0; i < self->verdict_count; ++i) put_verdict(&made, &self->verdicts[i]);
    for (size_t i = 0; i < self->cut.count; ++i) put_cut(&made, &self->cut.all[i]);
    if (made.failed) free(made.bytes);
    *bytes = made.failed ? NULL : made.bytes;
    *count = made.failed ? 0 : made.count;
    return made.failed ? hl_no_memory(error, "what an extractor found") : HL_OK;
}

/* ---- unpacking ---- */

typedef struct unpacker {
    const uint8_t *at;
    size_t left;
    float *room; /* for one direction */
    size_t width;
    bool wrong; /* it is not what was packed */
} unpacker;

static const void *take(unpacker *self, size_t count) {
    const void *taken = self->at;
    self->wrong = self->wrong || count > self->left;
    if (self->wrong) return NULL;
    self->at += count;
    self->left -= count;
    return taken;
}

static int64_t take_whole(unpacker *self) {
    int64_t value = 0;
    const void *from = take(self, sizeof value);
    if (from) memcpy(&value, from, sizeof value);
    return value;
}

static double take_double(unpacker *self) {
    double value = 0;
    const void *from = take(self, sizeof value);
    if (from) memcpy(&value, from, sizeof value);
    return value;
}

static const char *take_text(unpacker *self) {
    int64_t length = take_whole(self);
    if (length < 0) return NULL;
    const char *text = take(self, (size_t)length + 1);
    self->wrong = self->wrong || strnlen(text, (size_t)length + 1) != (size_t)length;
    return self->wrong ? NULL : text;
}

static const float *take_direction(unpacker *self) {
    if (take_whole(self) == 0) return NULL;
    const void *from = take(self, self->width * sizeof *self->room);
    return from ? memcpy(self->room, from, self->width * sizeof *self->room) : NULL;
}

static hl_status wrong(hl_error *error) {
    return hl_fail(error, HL_FAILED, "what was kept of a step is damaged");
}

static hl_status unpack_description(unpacker *from, hl_finding *to, hl_error *error) {
    hl_description read = {.size = sizeof read};
    read.head = take_text(from);
    read.rank = (uint32_t)take_whole(from);
    read.text = take_text(from);
    read.variance = take_double(from);
    read.total = take_double(from);
    read.direction = take_direction(from);
    return from->wrong ? wrong(error) : to->describe(to, &read, error);
}

static hl_status unpack_label(unpacker *from, hl_finding *to, hl_error *error) {
    hl_label read = {.size = sizeof read};
    read.head = take_text(from);
    read.property = take_text(from);
    read.weight = take_double(from);
    read.evidence = take_text(from);
    return from->wrong ? wrong(error) : to->label(to, &read, error);
}

static hl_status unpack_spelling(unpacker *from, hl_finding *to, hl_error *error) {
    const char *text = take_text(from), *property = take_text(from);
    return from->wrong ? wrong(error) : to->alias(to, text, property, error);
}

static hl_status unpack_verdict(unpacker *from, hl_finding *to, hl_error *error) {
    hl_verdict read = {.size = sizeof read};
    read.score = take_text(from);
    read.layer = (int32_t)take_whole(from);
    read.value = take_double(from);
    read.low = take_double(from);
    read.high = take_double(from);
    return from->wrong ? wrong(error) : to->judge(to, &read, error);
}

static hl_status unpack_cut(unpacker *from, findings *to, hl_error *error) {
    const char *text = take_text(from);
    size_t tokens = (size_t)take_whole(from);
    return from->wrong || !text ? wrong(error) : cut_texts_add(&to->cut, text, tokens, error);
}

static hl_status unpack_record(unpacker *from, findings *into, hl_error *error) {
    hl_finding *to = &into->sink;
    switch (take_whole(from)) {
    case DESCRIPTION:
        return unpack_description(from, to, error);
    case LABEL:
        return unpack_label(from, to, error);
    case SPELLING:
        return unpack_spelling(from, to, error);
    case VERDICT:
        return unpack_verdict(from, to, error);
    case CUT:
        return unpack_cut(from, into, error);
    default:
        return wrong(error);
    }
}

hl_status findings_unpack(const hl_plugin *extractor, const hl_model_info *model, const uint8_t *bytes,
                          size_t count, findings **out, hl_error *error) {
    unpacker from = {.at = bytes, .left = count, .width = model->embed_dim};
    hl_status status = findings_open(extractor, model, out, error);
    from.room = calloc(from.width + 1, sizeof *from.room);
    if (status == HL_OK && !from.room) status = hl_no_memory(error, "what an extractor found");
    while (status == HL_OK && from.left > 0) status = unpack_record(&from, *out, error);
    free(from.room);
    return findings_settle(status, out, error);
}
