/* What a step found as bytes and back: records of numbers and texts (core/io/packing.h), directions as they
 * are in memory, and trees of what else is shown. */
#include "core/asking/findings_inside.h"

#include "core/tree/packed.h"

#include <stdlib.h>
#include <string.h>

enum { DESCRIPTION = 1, LABEL, SPELLING, VERDICT, CUT, ABOUT, ITEM }; /* what a record begins with */

/* ---- packing ---- */

static void put_description(packer *self, const hl_description *of, size_t width) {
    pack_whole(self, DESCRIPTION);
    pack_text(self, of->head);
    pack_whole(self, of->rank);
    pack_text(self, of->text);
    pack_double(self, of->variance);
    pack_double(self, of->total);
    pack_whole(self, of->direction != NULL);
    if (of->direction) pack_bytes(self, of->direction, width * sizeof *of->direction);
}

static void put_label(packer *self, const hl_label *of) {
    pack_whole(self, LABEL);
    pack_text(self, of->head);
    pack_text(self, of->property);
    pack_double(self, of->weight);
    pack_text(self, of->evidence);
}

static void put_spelling(packer *self, const spelling *of) {
    pack_whole(self, SPELLING);
    pack_text(self, of->text);
    pack_text(self, of->property);
}

static void put_verdict(packer *self, const hl_verdict *of) {
    pack_whole(self, VERDICT);
    pack_text(self, of->score);
    pack_whole(self, of->layer);
    pack_double(self, of->value);
    pack_double(self, of->low);
    pack_double(self, of->high);
    pack_text(self, of->head);
    pack_whole(self, of->rank);
}

static void put_cut(packer *self, const cut_text *of) {
    pack_whole(self, CUT);
    pack_text(self, of->text);
    pack_whole(self, (int64_t)of->tokens);
}

/* The entries of a map or list of what else is shown. */
static hl_status put_entries(packer *self, int64_t kind, const hl_item *of, hl_error *error) {
    hl_status status = HL_OK;
    const hl_node *entry = item_node(of)->first;
    for (; entry && status == HL_OK; entry = entry->next) {
        pack_whole(self, kind);
        status = tree_pack(entry, self, error);
    }
    return status;
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
    hl_status status = put_entries(&made, ABOUT, self->heads, error);
    if (status == HL_OK) status = put_entries(&made, ITEM, self->items.list, error);
    if (status == HL_OK && made.failed) status = hl_no_memory(error, "what an extractor found");
    if (status != HL_OK) free(made.bytes);
    *bytes = status == HL_OK ? made.bytes : NULL;
    *count = status == HL_OK ? made.count : 0;
    return status;
}

/* ---- unpacking ---- */

static const float *take_direction(unpacker *from, float *room, size_t width) {
    if (unpack_whole(from) == 0) return NULL;
    const void *direction = unpack_bytes(from, width * sizeof *room);
    return direction ? memcpy(room, direction, width * sizeof *room) : NULL;
}

static hl_status wrong(hl_error *error) {
    return hl_fail(error, HL_FAILED, "what was kept of a step is damaged");
}

static hl_status unpack_description(unpacker *from, findings *into, hl_error *error) {
    size_t width = into->model->embed_dim;
    float *room = malloc(width * sizeof *room + 1); /* aligned, as the bytes need not be */
    if (!room) return hl_no_memory(error, "what an extractor found");
    hl_description read = {.size = sizeof read};
    read.head = unpack_text(from);
    read.rank = (uint32_t)unpack_whole(from);
    read.text = unpack_text(from);
    read.variance = unpack_double(from);
    read.total = unpack_double(from);
    read.direction = take_direction(from, room, width);
    hl_status status = from->wrong ? wrong(error) : into->functions.describe(&into->functions, &read, error);
    free(room);
    return status;
}

static hl_status unpack_label(unpacker *from, hl_finding *to, hl_error *error) {
    hl_label read = {.size = sizeof read};
    read.head = unpack_text(from);
    read.property = unpack_text(from);
    read.weight = unpack_double(from);
    read.evidence = unpack_text(from);
    return from->wrong ? wrong(error) : to->label(to, &read, error);
}

static hl_status unpack_spelling(unpacker *from, hl_finding *to, hl_error *error) {
    const char *text = unpack_text(from), *property = unpack_text(from);
    return from->wrong ? wrong(error) : to->alias(to, text, property, error);
}

static hl_status unpack_verdict(unpacker *from, hl_finding *to, hl_error *error) {
    hl_verdict read = {.size = sizeof read};
    read.score = unpack_text(from);
    read.layer = (int32_t)unpack_whole(from);
    read.value = unpack_double(from);
    read.low = unpack_double(from);
    read.high = unpack_double(from);
    read.head = unpack_text(from);
    read.rank = (uint32_t)unpack_whole(from);
    return from->wrong ? wrong(error) : to->judge(to, &read, error);
}

static hl_status unpack_cut(unpacker *from, findings *to, hl_error *error) {
    const char *text = unpack_text(from);
    size_t tokens = (size_t)unpack_whole(from);
    return from->wrong || !text ? wrong(error) : cut_texts_add(&to->cut, text, tokens, error);
}

static hl_status unpack_record(unpacker *from, findings *into, hl_error *error) {
    hl_finding *to = &into->functions;
    switch (unpack_whole(from)) {
    case DESCRIPTION:
        return unpack_description(from, into, error);
    case LABEL:
        return unpack_label(from, to, error);
    case SPELLING:
        return unpack_spelling(from, to, error);
    case VERDICT:
        return unpack_verdict(from, to, error);
    case CUT:
        return unpack_cut(from, into, error);
    case ABOUT:
        return tree_unpack(from, into->heads, error);
    case ITEM:
        return tree_unpack(from, into->items.list, error);
    default:
        return wrong(error);
    }
}

hl_status findings_unpack(const hl_plugin *extractor, const hl_model_info *model, const uint8_t *bytes,
                          size_t count, findings **out, hl_error *error) {
    unpacker from = {.at = bytes, .left = count};
    hl_status status = findings_open(extractor, model, out, error);
    while (status == HL_OK && from.left > 0) status = unpack_record(&from, *out, error);
    return findings_settle(status, out, error);
}
