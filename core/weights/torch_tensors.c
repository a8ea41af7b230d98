/* See torch_tensors.h. */
#include "core/weights/torch_tensors.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* A type of numbers, and of what holds such. */
typedef struct torch_dtype {
    const char *storage; /* "torch.FloatStorage" */
    const char *name;    /* "float32" */
    hl_dtype code;
    size_t item;
} torch_dtype;

enum { DEEPEST = 64, MOST_VISITS = 1 << 20, PATH_ROOM = 512 };

static const torch_dtype DTYPES[] = {
    {"torch.FloatStorage", "float32", HL_F32, 4},
    {"torch.HalfStorage", "float16", HL_F16, 2},
    {"torch.BFloat16Storage", "bfloat16", HL_BF16, 2},
    {"torch.DoubleStorage", "float64", HL_F64, 8},
    {"torch.LongStorage", "int64", HL_I64, 8},
    {"torch.IntStorage", "int32", HL_I32, 4},
    {"torch.ByteStorage", "uint8", HL_U8, 1},
    {"torch.ShortStorage", "int16", HL_OTHER, 2},
    {"torch.CharStorage", "int8", HL_OTHER, 1},
    {"torch.BoolStorage", "bool", HL_OTHER, 1},
    {"torch.ComplexFloatStorage", "complex64", HL_OTHER, 8},
    {"torch.ComplexDoubleStorage", "complex128", HL_OTHER, 16},
    {"torch.UntypedStorage", "bytes", HL_OTHER, 1},
    {"torch.storage.UntypedStorage", "bytes", HL_OTHER, 1},
};
enum { DTYPE_COUNT = sizeof DTYPES / sizeof *DTYPES };

/* ---- names ---- */

static const char *const ALLOWED[] = {
    /* tensors */
    "torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor_v3",
    "torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state",
    "torch._tensor._rebuild_from_type_v2", "torch.Tensor", "torch.nn.parameter.Parameter", "torch.Size",
    "torch.device",
    /* lists and dicts */
    "collections.OrderedDict", "torch.jit._pickle.build_intlist", "torch.jit._pickle.build_tensorlist",
    "torch.jit._pickle.build_doublelist", "torch.jit._pickle.build_boollist",
    "torch.jit._pickle.restore_type_tag",
    /* what training writes beside the model: arguments and numbers of numpy's */
    "argparse.Namespace", "numpy.dtype", "numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar",
    "_codecs.encode"};

static const char SCRIPT[] = "__torch__."; /* a module of TorchScript's, whose code is not looked at */

static bool is_script(const char *name) {
    return strncmp(name, SCRIPT, sizeof SCRIPT - 1) == 0;
}

static const torch_dtype *dtype_of_storage(const char *storage) {
    size_t i = 0;
    while (i < DTYPE_COUNT && strcmp(DTYPES[i].storage, storage) != 0) ++i;
    return i < DTYPE_COUNT ? &DTYPES[i] : NULL;
}

/* "torch.float32" */
static const torch_dtype *dtype_named(const char *name) {
    static const char before[] = "torch.";
    if (strncmp(name, before, sizeof before - 1) != 0) return NULL;
    size_t i = 0;
    while (i < DTYPE_COUNT && strcmp(DTYPES[i].name, name + sizeof before - 1) != 0) ++i;
    return i < DTYPE_COUNT ? &DTYPES[i] : NULL;
}

bool torch_may(const char *name) {
    for (size_t i = 0; i < sizeof ALLOWED / sizeof *ALLOWED; ++i) {
        if (strcmp(ALLOWED[i], name) == 0) return true;
    }
    return is_script(name) || dtype_of_storage(name) || dtype_named(name);
}

/* ---- values ---- */

/* The item of a list; NULL: there is none. */
static const pickle_value *item(const pickle_value *list, size_t index) {
    return list && list->kind == PICKLE_LIST && index < list->count ? list->items[index] : NULL;
}

static bool is_call(const pickle_value *value) {
    return value && value->kind == PICKLE_CALL;
}

static bool is_call_of(const pickle_value *value, const char *name) {
    return is_call(value) && pickle_is_name(value->items[0], name);
}

/* What a tensor is made of: [storage, offset, shape, strides, ..., and, third version, dtype]. */
typedef struct recipe {
    const pickle_value *parts;
    bool has_dtype;
} recipe;

static bool is_recipe(const pickle_value *function, const pickle_value *arguments, recipe *out) {
    *out = (recipe){arguments, pickle_is_name(function, "torch._utils._rebuild_tensor_v3")};
    return out->has_dtype || pickle_is_name(function, "torch._utils._rebuild_tensor_v2") ||
           pickle_is_name(function, "torch._utils._rebuild_tensor");
}

/* A tensor, or a parameter, which is one with a mark. */
static bool is_tensor(const pickle_value *value, recipe *out) {
    for (int depth = 0; is_call(value) && depth < 4; ++depth) {
        const pickle_value *function = value->items[0], *arguments = value->items[1];
        if (is_recipe(function, arguments, out)) return true;
        if (pickle_is_name(function, "torch._tensor._rebuild_from_type_v2")) {
            return is_recipe(item(arguments, 0), item(arguments, 2), out);
        }
        bool parameter = pickle_is_name(function, "torch._utils._rebuild_parameter") ||
                         pickle_is_name(function, "torch._utils._rebuild_parameter_with_state");
        value = parameter ? item(arguments, 0) : NULL;
    }
    return false;
}

/* ---- one tensor ---- */

/* A file's tensors that are being collected. */
typedef struct collecting {
    hl_weights *table;
    torch_locate *locate;
    void *container;
    hl_error *error;
    size_t visits;
    char path[PATH_ROOM]; /* of what is being looked at: "visual.proj" */
} collecting;

static hl_status refuse(const collecting *c, const tensor *refused, const char *why) {
    return table_refuse(c->table, refused, why, c->error);
}

#define DAMAGED "; the file is damaged: copy or download it again"

static bool whole_number(const pickle_value *value, uint64_t *out) {
    if (!value || value->kind != PICKLE_INTEGER || value->integer < 0) return false;
    *out = (uint64_t)value->integer;
    return true;
}

/* Sides or strides. */
static const char *read_numbers(const pickle_value *list, uint64_t out[MAX_RANK], uint32_t *count) {
    if (is_call_of(list, "torch.Size")) list = item(list->items[1], 0);
    if (!list || list->kind != PICKLE_LIST) return "its shape is no list" DAMAGED;
    if (list->count > MAX_RANK) return "it has more than 8 sides, more than any model's";
    *count = (uint32_t)list->count;
    for (uint32_t i = 0; i < *count; ++i) {
        if (!whole_number(list->items[i], &out[i])) {
            return "its shape holds something else than non-negative integers" DAMAGED;
        }
    }
    return NULL;
}

static const char *read_shape(const recipe *from, tensor *out) {
    hl_stored_tensor *stored = &out->stored;
    uint32_t strides;
    const char *why = read_numbers(item(from->parts, 2), stored->shape, &stored->rank);
    if (!why) why = read_numbers(item(from->parts, 3), out->strides, &strides);
    if (why) return why;
    if (strides != stored->rank) return "it has more or fewer strides than sides" DAMAGED;
    stored->elements = 1;
    bool empty = false;
    for (uint32_t i = 0; i < stored->rank; ++i) {
        empty = empty || stored->shape[i] == 0;
        if (__builtin_mul_overflow(stored->elements, stored->shape[i] ? stored->shape[i] : 1,
                                   &stored->elements))
            return "its shape is too large" DAMAGED;
    }
    if (empty) stored->elements = 0;
    return NULL;
}

/* How far the last number lies behind the first; sets `scattered`. Numbers that share a place would be a
 * small file's way to fill a large memory, and no model needs them. */
static const char *read_strides(tensor *out, uint64_t *last) {
    const hl_stored_tensor *stored = &out->stored;
    uint64_t dense = 1;
    *last = 0;
    for (uint32_t i = stored->rank; i-- > 0; dense *= stored->shape[i]) {
        uint64_t reach;
        if (stored->shape[i] < 2) continue;
        if (out->strides[i] != dense) out->stored.scattered = true;
        if (__builtin_mul_overflow(stored->shape[i] - 1, out->strides[i], &reach) ||
            __builtin_add_overflow(*last, reach, last))
            return "its strides are too large" DAMAGED;
    }
    /* from the smallest stride on, each one steps over all that the smaller ones reach */
    uint64_t reached = 0;
    for (bool taken[MAX_RANK] = {false};;) {
        uint32_t least = MAX_RANK;
        for (uint32_t i = 0; i < stored->rank; ++i) {
            if (taken[i] || stored->shape[i] < 2) continue;
            if (least == MAX_RANK || out->strides[i] < out->strides[least]) least = i;
        }
        if (least == MAX_RANK) return NULL;
        if (out->strides[least] <= reached) {
            return "several of its numbers lie at one place (its strides alias): write the file again with a "
                   "copy of it, tensor.contiguous()";
        }
        taken[least] = true;
        reached += (stored->shape[least] - 1) * out->strides[least];
    }
}

const char *torch_read_storage(const pickle_value *stored, torch_storage *out) {
    const pickle_value *list = stored && stored->kind == PICKLE_STORED ? stored->items[0] : NULL;
    const pickle_value *type = item(list, 1), *key = item(list, 2), *part = item(list, 5);
    bool sound = pickle_is_text(item(list, 0), "storage") && type && type->kind == PICKLE_NAME && key &&
                 key->kind == PICKLE_BYTES && strlen(key->text) == key->length;
    if (!sound || !whole_number(item(list, 4), &out->whole)) return "its storage is none" DAMAGED;
    const torch_dtype *dtype = dtype_of_storage(type->text);
    if (!dtype) return "its storage is of no type that is known";
    *out = (torch_storage){key->text, dtype->code, dtype->name, dtype->item, out->whole, 0, out->whole};
    if (!part || part->kind != PICKLE_LIST) return NULL;
    uint64_t end;
    if (!whole_number(item(part, 1), &out->first) || !whole_number(item(part, 2), &out->count) ||
        __builtin_add_overflow(out->first, out->count, &end) || end > out->whole)
        return "its storage is a part of a smaller one" DAMAGED;
    return NULL;
}

/* Of a storage of bytes the tensor says what they are. */
static const char *read_dtype(const recipe *from, torch_storage *held) {
    const pickle_value *named = from->has_dtype ? item(from->parts, 6) : NULL;
    if (!named) return NULL;
    const torch_dtype *dtype = named->kind == PICKLE_NAME ? dtype_named(named->text) : NULL;
    if (!dtype || held->item != 1) return "its numbers are of no known type";
    *held = (torch_storage){held->key,
                            dtype->code,
                            dtype->name,
                            dtype->item,
                            held->whole / dtype->item,
                            0,
                            held->whole / dtype->item};
    return NULL;
}

/* Inside the storage, and the storage inside the file. */
static hl_status place(const collecting *c, const recipe *from, const torch_storage *held, uint64_t last,
                       tensor *out) {
    uint64_t offset, end, begin, bytes, wanted, unit = out->item;
    if (!whole_number(item(from->parts, 1), &offset))
        return refuse(c, out, "its offset is no number" DAMAGED);
    if (out->stored.elements == 0) return HL_OK;
    if (__builtin_add_overflow(offset, last, &end) || end >= held->count) {
        return refuse(c, out, "it is larger than its storage" DAMAGED);
    }
    hl_status status = c->locate(c->container, held->key, &begin, &bytes, c->error);
    if (status != HL_OK) return status;
    if (__builtin_mul_overflow(held->whole, unit, &wanted) || wanted > bytes) {
        return refuse(c, out, "its storage is larger than what the file holds of it" DAMAGED);
    }
    out->begin = begin + (held->first + offset) * unit;
    out->end = begin + (held->first + end + 1) * unit;
    return HL_OK;
}

static hl_status add_tensor(collecting *c, const recipe *from) {
    tensor added = {.stored = {.name = c->path, .type = ""}, .file = c->table->file_count - 1};
    torch_storage held;
    uint64_t last = 0;
    const char *why = read_shape(from, &added);
    if (!why && added.stored.elements) why = read_strides(&added, &last);
    if (!why) why = torch_read_storage(item(from->parts, 0), &held);
    if (!why) why = read_dtype(from, &held);
    if (why) return refuse(c, &added, why);
    added.stored.dtype = held.dtype;
    added.stored.type = held.type;
    added.item = held.item;
    hl_status status = place(c, from, &held, last, &added);
    return status == HL_OK ? table_add(c->table, &added, c->error) : status;
}

/* ---- the tree ---- */

static const char *path_of(const collecting *c) {
    return c->table->files[c->table->file_count - 1].path;
}

static hl_status too_tangled(const collecting *c, const char *why) {
    return hl_fail(c->error, HL_FAILED,
                   "%s: %.60s %s, as no list of tensors does; the file is damaged or made to "
                   "do harm",
                   path_of(c), c->path[0] ? c->path : "its pickle", why);
}

static hl_status collect(collecting *c, pickle_value *value, int depth);

/* "before.key", and back again. */
static hl_status collect_below(collecting *c, const char *key, pickle_value *value, int depth) {
    size_t length = strlen(c->path), room = sizeof c->path - length;
    int wanted = snprintf(c->path + length, room, "%s%s", length ? "." : "", key);
    hl_status status =
        (size_t)wanted < room ? collect(c, value, depth + 1) : too_tangled(c, "has too long a name");
    c->path[length] = '\0';
    return status;
}

static hl_status collect_dict(collecting *c, const pickle_value *dict, int depth) {
    hl_status status = HL_OK;
    for (size_t i = 0; i + 1 < dict->count && status == HL_OK; i += 2) {
        const pickle_value *key = dict->items[i];
        char number[24];
        snprintf(number, sizeof number, "%" PRId64, key->integer);
        if (key->kind == PICKLE_INTEGER) status = collect_below(c, number, dict->items[i + 1], depth);
        if (key->kind != PICKLE_BYTES) continue;
        status = strlen(key->text) == key->length ? collect_below(c, key->text, dict->items[i + 1], depth)
                                                  : too_tangled(c, "has a name with a NUL in it");
    }
    return status;
}

static hl_status collect_list(collecting *c, const pickle_value *list, int depth) {
    hl_status status = HL_OK;
    for (size_t i = 0; i < list->count && status == HL_OK; ++i) {
        char number[24];
        snprintf(number, sizeof number, "%zu", i);
        status = collect_below(c, number, list->items[i], depth);
    }
    return status;
}

static hl_status collect_inside(collecting *c, pickle_value *value, int depth) {
    recipe found;
    if (is_tensor(value, &found)) return add_tensor(c, &found);
    if (value->kind == PICKLE_DICT) return collect_dict(c, value, depth);
    if (value->kind == PICKLE_LIST) return collect_list(c, value, depth);
    bool module = is_call(value) && value->items[0]->kind == PICKLE_NAME && is_script(value->items[0]->text);
    return module && value->state ? collect(c, value->state, depth + 1) : HL_OK;
}

static hl_status collect(collecting *c, pickle_value *value, int depth) {
    if (value->open) return too_tangled(c, "holds itself");
    if (depth > DEEPEST) return too_tangled(c, "is nested too deeply");
    if (++c->visits > MOST_VISITS) return too_tangled(c, "holds the same things again and again");
    value->open = true;
    hl_status status = collect_inside(c, value, depth);
    value->open = false;
    return status;
}

static bool has_tensors(const pickle_value *dict) {
    recipe found;
    for (size_t i = 1; i < dict->count; i += 2) {
        if (is_tensor(dict->items[i], &found)) return true;
    }
    return false;
}

/* What is called a model in a training checkpoint. */
static pickle_value *model_in(pickle_value *root) {
    static const char *const keys[] = {"state_dict", "model_state_dict", "model", "module"};
    for (int depth = 0; root->kind == PICKLE_DICT && depth < 4 && !has_tensors(root); ++depth) {
        pickle_value *inside = NULL;
        for (size_t i = 0; i < sizeof keys / sizeof *keys && !inside; ++i) {
            pickle_value *found = pickle_get(root, keys[i]);
            if (found && (found->kind == PICKLE_DICT || is_call(found))) inside = found;
        }
        if (!inside) return root;
        root = inside;
    }
    return root;
}

hl_status torch_add_tensors(hl_weights *table, const pickle *from, torch_locate *locate, void *container,
                            hl_error *error) {
    collecting c = {.table = table, .locate = locate, .container = container, .error = error};
    size_t before = table->count;
    recipe single;
    if (!is_tensor(from->root, &single)) {
        hl_status status = collect(&c, model_in(from->root), 0);
        if (status != HL_OK || table->count > before) return status;
    }
    return hl_fail(error, HL_FAILED,
                   "%s: holds no tensors with names; expected a model's state dict, by itself, inside a "
                   "training checkpoint, or in a TorchScript archive",
                   path_of(&c));
}
