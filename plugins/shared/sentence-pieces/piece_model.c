/* See piece_model.h. Numbers of fields are those of sentencepiece_model.proto. */
#include "piece_model.h"

#include "text/prefixes.h"
#include "wire.h"
#include <math.h>
#include <unistr.h>

enum { MODEL_PIECES = 1, MODEL_TRAINER = 2, MODEL_NORMALIZER = 3 };
enum { PIECE_TEXT = 1, PIECE_SCORE = 2, PIECE_TYPE = 3 };
enum { TRAINER_TYPE = 3, TRAINER_SUFFIX = 24, TRAINER_BYTES = 35, TRAINER_END = 47 };
enum { NORMAL_MAP = 2, NORMAL_PREFIX = 3, NORMAL_SPACES = 4, NORMAL_ESCAPES = 5 };
enum { UNIGRAM = 1, BPE = 2 };
enum { TYPE_NORMAL = 1, TYPE_UNKNOWN, TYPE_CONTROL, TYPE_USER_DEFINED, TYPE_UNUSED, TYPE_BYTE };

/* The library builds a tree of the pieces, by a function that calls itself for each byte of one; and has room
 * for so many pieces of its users that begin with each other. */
enum { LONGEST_PIECE = 512, MOST_PIECES = 1 << 22, MOST_NESTED = 60 };

typedef struct reading {
    const char *name;
    string_table pieces;
    buffer types, model; /* types by piece; what is made for the library */
    uint64_t type;       /* UNIGRAM, BPE */
    bool bytes;          /* characters that are no pieces are written byte by byte */
    char end[64];
    piece_model *out;
    hl_error *error;
} reading;

static hl_status damaged(const reading *r, const char *where) {
    return hl_fail(r->error, HL_FAILED, "%s: is cut off or damaged in its %s: get the file again", r->name,
                   where);
}

static hl_status refuse(const reading *r, const char *what) {
    return hl_fail(r->error, HL_USAGE, "%s: a sentencepiece model %s is not supported", r->name, what);
}

static size_t size_of(wire bytes) {
    return (size_t)(bytes.end - bytes.at);
}

static hl_status check_piece(const reading *r, wire text, float score, uint64_t type) {
    size_t length = size_of(text);
    uint32_t number = r->pieces.count;
    bool plain =
        length > 0 && length <= LONGEST_PIECE && !memchr(text.at, 0, length) && !u8_check(text.at, length);
    if (plain && isfinite(score) && type >= TYPE_NORMAL && type <= TYPE_BYTE && number < MOST_PIECES)
        return HL_OK;
    return hl_fail(
        r->error, HL_FAILED,
        "%s: piece %u: expected a text of 1 to %d bytes of UTF-8, a score and a type: get the file again",
        r->name, number, LONGEST_PIECE);
}

static hl_status read_piece(reading *r, wire from) {
    wire text = {0};
    float score = 0;
    uint64_t type = TYPE_NORMAL;
    wire_field field;
    while (wire_next(&from, &field)) {
        uint32_t bits = (uint32_t)field.value;
        if (field.number == PIECE_TEXT) text = field.bytes;
        if (field.number == PIECE_SCORE) memcpy(&score, &bits, sizeof score);
        if (field.number == PIECE_TYPE) type = field.value;
    }
    if (from.damaged) return damaged(r, "pieces");
    hl_status status = check_piece(r, text, score, type);
    if (status) return status;
    uint32_t number = r->pieces.count;
    bool fresh;
    if (string_table_add(&r->pieces, (const char *)text.at, size_of(text), &fresh) == STRING_UNKNOWN) {
        return hl_no_memory(r->error, r->name);
    }
    if (!fresh) {
        return hl_fail(r->error, HL_FAILED, "%s: piece %u: \"%.*s\" is there twice", r->name, number,
                       (int)size_of(text), (const char *)text.at);
    }
    char kept = (char)type;
    buffer_append(&r->types, &kept, 1);
    buffer piece = {0};
    wire_write_bytes(&piece, PIECE_TEXT, text.at, size_of(text));
    wire_write_float(&piece, PIECE_SCORE, score);
    wire_write_number(&piece, PIECE_TYPE, type);
    if (piece.failed) r->model.failed = true;
    if (!piece.failed) wire_write_bytes(&r->model, MODEL_PIECES, piece.bytes, piece.length);
    free(piece.bytes);
    return HL_OK;
}

static void keep_name(wire from, char *to, size_t room) {
    size_t length = size_of(from);
    if (length == 0 || length >= room) return;
    memcpy(to, from.at, length);
    to[length] = '\0';
}

static hl_status read_trainer(reading *r, wire from) {
    wire_field field;
    while (wire_next(&from, &field)) {
        if (field.number == TRAINER_TYPE) r->type = field.value;
        if (field.number == TRAINER_BYTES) r->bytes = field.value;
        if (field.number == TRAINER_END) keep_name(field.bytes, r->end, sizeof r->end);
        if (field.number == TRAINER_SUFFIX && field.value)
            return refuse(r, "with blanks at the end of words");
    }
    if (from.damaged) return damaged(r, "trainer_spec");
    return r->type == UNIGRAM || r->type == BPE ? HL_OK : refuse(r, "of words or characters");
}

static hl_status read_normalizer(reading *r, wire from) {
    wire_field field;
    wire map = {0};
    while (wire_next(&from, &field)) {
        if (field.number == NORMAL_MAP) map = field.bytes;
        if (field.number == NORMAL_PREFIX) r->out->begins_with_line = field.value;
        if (field.number == NORMAL_SPACES) r->out->trims = field.value;
        if (field.number == NORMAL_ESCAPES && !field.value) return refuse(r, "that keeps blanks as they are");
    }
    if (from.damaged) return damaged(r, "normalizer_spec");
    if (r->out->begins_with_line && !r->out->trims)
        return refuse(r, "that keeps surplus blanks and adds one");
    charsmap_free(&r->out->map);
    return charsmap_read(r->name, map.at, size_of(map), &r->out->map, r->error);
}

static hl_status read_all(reading *r, wire from) {
    wire_field field;
    hl_status status = HL_OK;
    while (status == HL_OK && wire_next(&from, &field)) {
        if (field.number == MODEL_PIECES) status = read_piece(r, field.bytes);
        if (field.number == MODEL_TRAINER) status = read_trainer(r, field.bytes);
        if (field.number == MODEL_NORMALIZER) status = read_normalizer(r, field.bytes);
    }
    if (status == HL_OK && from.damaged) status = damaged(r, "list of pieces");
    if (status == HL_OK && (r->types.failed || r->model.failed)) status = hl_no_memory(r->error, r->name);
    return status;
}

static bool has_type(const reading *r, uint32_t piece, char type) {
    return r->types.bytes[piece] == type;
}

/* How many of the users' pieces a piece of theirs begins with, itself included. */
static size_t count_nested(const reading *r, const prefixes *all, uint32_t piece) {
    size_t nested = 0;
    prefix_walk walk = prefixes_start(all);
    for (uint32_t i = 0; i < r->pieces.spans[piece].length; ++i) {
        if (!prefixes_step(&walk, string_table_bytes(&r->pieces, piece)[i])) break;
        nested += prefixes_here(&walk) != STRING_UNKNOWN;
    }
    return nested;
}

static hl_status check_users_pieces(const reading *r) {
    uint32_t count = 0, *numbers = malloc((r->pieces.count + (size_t)1) * sizeof *numbers);
    prefixes all = {0};
    if (!numbers) return hl_no_memory(r->error, r->name);
    for (uint32_t i = 0; i < r->pieces.count; ++i) {
        if (has_type(r, i, TYPE_USER_DEFINED)) numbers[count++] = i;
    }
    hl_status status =
        prefixes_make(&r->pieces, numbers, count, &all) ? HL_OK : hl_no_memory(r->error, r->name);
    for (uint32_t i = 0; i < count && status == HL_OK; ++i) {
        if (count_nested(r, &all, numbers[i]) > MOST_NESTED)
            status = refuse(r, "with so many pieces that begin alike");
    }
    if (status == HL_OK && count > 0 && r->out->map.unit_count) {
        status = refuse(r, "with a map of characters beside pieces of its users");
    }
    prefixes_free(&all);
    free(numbers);
    return status;
}

static int32_t control_piece(const reading *r, const char *text) {
    uint32_t found = string_table_find(&r->pieces, text, strlen(text));
    return found != STRING_UNKNOWN && has_type(r, found, TYPE_CONTROL) ? (int32_t)found : -1;
}

static hl_status find_ends(reading *r) {
    piece_model *out = r->out;
    out->unknown = -1;
    for (uint32_t i = 0; i < r->pieces.count; ++i) {
        if (has_type(r, i, TYPE_UNKNOWN)) out->unknown = (int32_t)i;
    }
    out->end = control_piece(r, r->end);
    if (out->unknown >= 0 && out->end >= 0) return HL_OK;
    return hl_fail(r->error, HL_FAILED,
                   "%s: expected a piece for what is unknown and one that ends a text, \"%s\"", r->name,
                   r->end);
}

static hl_status open_library(reading *r) {
    buffer trainer = {0}, normalizer = {0};
    wire_write_number(&trainer, TRAINER_TYPE, r->type);
    wire_write_number(&trainer, TRAINER_BYTES, r->bytes);
    wire_write_number(&normalizer, NORMAL_PREFIX, 0);
    wire_write_number(&normalizer, NORMAL_SPACES, 0);
    wire_write_number(&normalizer, NORMAL_ESCAPES, 0);
    bool enough = !trainer.failed && !normalizer.failed;
    if (enough) {
        wire_write_bytes(&r->model, MODEL_TRAINER, trainer.bytes, trainer.length);
        wire_write_bytes(&r->model, MODEL_NORMALIZER, normalizer.bytes, normalizer.length);
    }
    free(trainer.bytes);
    free(normalizer.bytes);
    if (!enough || r->model.failed) return hl_no_memory(r->error, r->name);
    hl_status status = module_open(&r->out->module, r->error);
    if (status) return status;
    sentence_error why;
    r->out->model = r->out->module.library->open(r->model.bytes, r->model.length, &why);
    if (r->out->model) return HL_OK;
    if (!*why.message) return hl_no_memory(r->error, r->name);
    return hl_fail(r->error, HL_FAILED, "%s: %s", r->name, why.message);
}

hl_status piece_model_parse(const char *name, const void *bytes, size_t count, piece_model *out,
                            hl_error *error) {
    *out = (piece_model){.begins_with_line = true, .trims = true, .end = -1, .unknown = -1};
    reading r = {.name = name, .type = UNIGRAM, .end = "</s>", .out = out, .error = error};
    const uint8_t *from = bytes;
    hl_status status = read_all(&r, (wire){from, from + count, false});
    if (status == HL_OK) status = find_ends(&r);
    if (status == HL_OK) status = check_users_pieces(&r);
    if (status == HL_OK) status = open_library(&r);
    string_table_free(&r.pieces);
    free(r.types.bytes);
    free(r.model.bytes);
    if (status) piece_model_free(out);
    return status;
}

int32_t piece_model_find(const void *bytes, size_t count, const char *text) {
    const uint8_t *start = bytes;
    wire from = {start, start + count, false};
    wire_field field, part;
    size_t length = strlen(text);
    for (int32_t number = 0; number < MOST_PIECES && wire_next(&from, &field);) {
        if (field.number != MODEL_PIECES) continue;
        while (wire_next(&field.bytes, &part)) {
            bool same = part.number == PIECE_TEXT && size_of(part.bytes) == length;
            if (same && memcmp(part.bytes.at, text, length) == 0) return number;
        }
        ++number;
    }
    return -1;
}

void piece_model_free(piece_model *self) {
    if (self->model) self->module.library->close(self->model);
    module_close(&self->module);
    charsmap_free(&self->map);
    *self = (piece_model){0};
}

static void take(void *user, int id) {
    token_ids_add(user, id);
}

hl_status piece_model_encode(const void *vocabulary, const char *text, size_t length, token_ids *out,
                             hl_error *error) {
    const piece_model *self = vocabulary;
    sentence_error why;
    if (self->module.library->encode(self->model, text, length, take, out, &why) == 0) return HL_OK;
    if (!*why.message) return hl_no_memory(error, "a text");
    return hl_fail(error, HL_FAILED, "sentencepiece: %s", why.message);
}
