/* See pickle.h. A pickle is a program for a stack machine; each instruction is one function here, and what
 * each takes off the stack is checked to be there. Memory is bounded: an instruction makes at most one value,
 * and there are at most MOST_VALUES. */
#include "core/weights/pickle.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

enum { MOST_VALUES = 1 << 20 };

typedef struct value_list {
    pickle_value **items;
    size_t count, room;
} value_list;

typedef struct machine {
    const char *what;
    const uint8_t *bytes;
    size_t count, at;
    pickle_permission *may;
    pickle *out;
    value_list stack, memo;
    size_t *marks; /* heights of the stack */
    size_t mark_count, mark_room;
    size_t values;
    bool stopped;
    hl_error *error;
} machine;

#define TRY(STEP)                                                                                            \
    do {                                                                                                     \
        hl_status try_status = (STEP);                                                                       \
        if (try_status) return try_status;                                                                   \
    } while (0)

static hl_status damaged(const machine *m, const char *why) {
    return hl_fail(m->error, HL_FAILED,
                   "%s: at byte %zu of its pickle %s; the file is damaged: copy or "
                   "download it again",
                   m->what, m->at, why);
}

static hl_status no_memory(const machine *m) {
    return hl_no_memory(m->error, m->what);
}

/* ---- the input ---- */

static hl_status take(machine *m, size_t count, const uint8_t **out) {
    *out = NULL;
    if (count > m->count - m->at) return damaged(m, "it ends too early");
    *out = m->bytes + m->at;
    m->at += count;
    return HL_OK;
}

/* `width` bytes, low first. */
static hl_status take_number(machine *m, size_t width, uint64_t *out) {
    const uint8_t *bytes;
    *out = 0;
    TRY(take(m, width, &bytes));
    for (size_t i = width; i-- > 0;) *out = *out << 8 | bytes[i];
    return HL_OK;
}

/* Up to the end of the line, which is taken too. */
static hl_status take_line(machine *m, const uint8_t **out, size_t *length) {
    const uint8_t *from = m->bytes + m->at, *end = memchr(from, '\n', m->count - m->at);
    *out = from;
    *length = 0;
    if (!end) return damaged(m, "it ends too early");
    *length = (size_t)(end - from);
    m->at += *length + 1;
    return HL_OK;
}

/* ---- values ---- */

static hl_status append(const machine *m, pickle_value ***items, size_t *count, size_t *room,
                        pickle_value *item) {
    if (*count == *room) {
        size_t wanted = *room ? 2 * *room : 4;
        pickle_value **grown = arena_array(&m->out->memory, wanted, sizeof *grown);
        if (!grown) return no_memory(m);
        if (*count) memcpy(grown, *items, *count * sizeof *grown);
        *items = grown;
        *room = wanted;
    }
    (*items)[(*count)++] = item;
    return HL_OK;
}

static hl_status add_item(const machine *m, pickle_value *to, pickle_value *item) {
    return append(m, &to->items, &to->count, &to->room, item);
}

static hl_status new_value(machine *m, pickle_kind kind, pickle_value **out) {
    *out = NULL;
    if (++m->values > MOST_VALUES) {
        return hl_fail(m->error, HL_FAILED,
                       "%s: holds more than %d values, which no list of tensors does: "
                       "write the model's tensors alone, torch.save(model.state_dict(), ...)",
                       m->what, MOST_VALUES);
    }
    *out = arena_take(&m->out->memory, sizeof **out);
    if (!*out) return no_memory(m);
    (*out)->kind = kind;
    return HL_OK;
}

/* ---- the stack ---- */

static hl_status push(machine *m, pickle_value *value) {
    value_list *stack = &m->stack;
    if (stack->count == stack->room) {
        size_t wanted = 2 * stack->room + 64;
        pickle_value **grown = realloc(stack->items, wanted * sizeof *grown);
        if (!grown) return no_memory(m);
        stack->items = grown;
        stack->room = wanted;
    }
    stack->items[stack->count++] = value;
    return HL_OK;
}

static hl_status push_new(machine *m, pickle_kind kind, pickle_value **out) {
    TRY(new_value(m, kind, out));
    return push(m, *out);
}

/* What lies above the last mark, or at all where there is none, may be taken. */
static size_t floor_of(const machine *m) {
    return m->mark_count ? m->marks[m->mark_count - 1] : 0;
}

static hl_status pop(machine *m, pickle_value **out) {
    *out = NULL;
    if (m->stack.count <= floor_of(m)) return damaged(m, "it takes what is not there");
    *out = m->stack.items[--m->stack.count];
    return HL_OK;
}

static hl_status top(const machine *m, pickle_value **out) {
    *out = NULL;
    if (m->stack.count <= floor_of(m)) return damaged(m, "it takes what is not there");
    *out = m->stack.items[m->stack.count - 1];
    return HL_OK;
}

static hl_status push_mark(machine *m) {
    if (m->mark_count == m->mark_room) {
        size_t wanted = 2 * m->mark_room + 16, *grown = realloc(m->marks, wanted * sizeof *grown);
        if (!grown) return no_memory(m);
        m->marks = grown;
        m->mark_room = wanted;
    }
    m->marks[m->mark_count++] = m->stack.count;
    return HL_OK;
}

/* The values above the last mark are taken off: *items stay valid until the next push. */
static hl_status pop_to_mark(machine *m, pickle_value ***items, size_t *count) {
    *items = NULL;
    *count = 0;
    if (m->mark_count == 0) return damaged(m, "it takes what is not there");
    size_t from = m->marks[--m->mark_count];
    if (m->stack.items) *items = m->stack.items + from;
    *count = m->stack.count - from;
    m->stack.count = from;
    return HL_OK;
}

/* ---- instructions that make values ---- */

static hl_status push_integer(machine *m, pickle_kind kind, int64_t integer) {
    pickle_value *value;
    TRY(push_new(m, kind, &value));
    value->integer = integer;
    return HL_OK;
}

/* Two's complement, low byte first; larger ones than any size here are of no interest. */
static hl_status push_long(machine *m, size_t width_of_count) {
    uint64_t count, number = 0;
    const uint8_t *bytes;
    TRY(take_number(m, width_of_count, &count));
    if (count > INT_MAX) return damaged(m, "a number is too long");
    TRY(take(m, (size_t)count, &bytes));
    if (count > 8) return push_integer(m, PICKLE_NOTHING, 0);
    for (size_t i = (size_t)count; i-- > 0;) number = number << 8 | bytes[i];
    if (count && count < 8 && bytes[count - 1] & 0x80) number |= UINT64_MAX << 8 * count;
    return push_integer(m, PICKLE_INTEGER, (int64_t)number);
}

static hl_status push_bytes(machine *m, size_t width_of_count) {
    uint64_t count;
    const uint8_t *bytes;
    pickle_value *value;
    TRY(take_number(m, width_of_count, &count));
    if (count > m->count) return damaged(m, "a text is longer than all");
    TRY(take(m, (size_t)count, &bytes));
    TRY(push_new(m, PICKLE_BYTES, &value));
    value->text = arena_copy_text(&m->out->memory, (const char *)bytes, (size_t)count);
    value->length = (size_t)count;
    return value->text ? HL_OK : no_memory(m);
}

/* The last `count` values, or those above the mark, as one. */
static hl_status push_list(machine *m, pickle_kind kind, pickle_value **items, size_t count) {
    pickle_value *value;
    TRY(new_value(m, kind, &value));
    for (size_t i = 0; i < count; ++i) TRY(add_item(m, value, items[i]));
    return push(m, value);
}

static hl_status push_last(machine *m, size_t count) {
    if (m->stack.count < floor_of(m) + count) return damaged(m, "it takes what is not there");
    m->stack.count -= count;
    return push_list(m, PICKLE_LIST, m->stack.items + m->stack.count, count);
}

static hl_status push_marked(machine *m, pickle_kind kind) {
    pickle_value **items;
    size_t count;
    TRY(pop_to_mark(m, &items, &count));
    if (kind == PICKLE_DICT && count % 2) return damaged(m, "a key has no value");
    return push_list(m, kind, items, count);
}

/* ---- instructions that change values ---- */

static hl_status extend(machine *m, pickle_value **items, size_t count, bool pairs) {
    pickle_value *to;
    TRY(top(m, &to));
    bool fits = pairs ? to->kind == PICKLE_DICT && count % 2 == 0 : to->kind == PICKLE_LIST;
    /* Objects that this reader does not make anything of may be filled too. */
    if (to->kind == PICKLE_CALL) return HL_OK;
    if (!fits) return damaged(m, "it adds to what is no list and no dict");
    for (size_t i = 0; i < count; ++i) TRY(add_item(m, to, items[i]));
    return HL_OK;
}

static hl_status extend_marked(machine *m, bool pairs) {
    pickle_value **items;
    size_t count;
    TRY(pop_to_mark(m, &items, &count));
    return extend(m, items, count, pairs);
}

static hl_status extend_last(machine *m, size_t count) {
    if (m->stack.count < floor_of(m) + count) return damaged(m, "it takes what is not there");
    m->stack.count -= count;
    return extend(m, m->stack.items + m->stack.count, count, count == 2);
}

static hl_status build(machine *m) {
    pickle_value *state, *to;
    TRY(pop(m, &state));
    TRY(top(m, &to));
    if (to->kind == PICKLE_CALL) to->state = state;
    return HL_OK; /* of a dict only remarks are set so, such as _metadata */
}

/* ---- names and calls ---- */

static hl_status push_name(machine *m, const char *module, size_t module_length, const char *name,
                           size_t length) {
    pickle_value *value;
    char whole[512];
    int wanted = module_length < 256 && length < 250 ? snprintf(whole, sizeof whole, "%.*s.%.*s",
                                                                (int)module_length, module, (int)length, name)
                                                     : -1;
    if (wanted < 0 || (size_t)wanted != module_length + 1 + length || !m->may(whole)) {
        return hl_fail(m->error, HL_FAILED,
                       "%s: asks for %.*s.%.*s, which is no tensor but code; nothing of it was run. If you "
                       "trust the file, load it in Python and write its tensors alone: "
                       "torch.save(model.state_dict(), ...)",
                       m->what, (int)(module_length < 100 ? module_length : 100), module,
                       (int)(length < 100 ? length : 100), name);
    }
    TRY(push_new(m, PICKLE_NAME, &value));
    value->text = arena_copy_text(&m->out->memory, whole, (size_t)wanted);
    value->length = (size_t)wanted;
    return value->text ? HL_OK : no_memory(m);
}

static hl_status push_global(machine *m) {
    const uint8_t *module, *name;
    size_t module_length, length;
    TRY(take_line(m, &module, &module_length));
    TRY(take_line(m, &name, &length));
    return push_name(m, (const char *)module, module_length, (const char *)name, length);
}

static hl_status push_stacked_global(machine *m) {
    pickle_value *module, *name;
    TRY(pop(m, &name));
    TRY(pop(m, &module));
    if (module->kind != PICKLE_BYTES || name->kind != PICKLE_BYTES) return damaged(m, "a name is no text");
    return push_name(m, module->text, module->length, name->text, name->length);
}

/* An OrderedDict is a dict here, whatever it is made of. */
static hl_status call(machine *m, size_t arguments) {
    pickle_value *what, *with = NULL, *made;
    for (size_t i = 0; i < arguments; ++i) TRY(pop(m, &with));
    TRY(pop(m, &what));
    if (what->kind != PICKLE_NAME) return damaged(m, "it calls what is no function");
    if (pickle_is_name(what, "collections.OrderedDict") && with->kind == PICKLE_LIST && with->count == 0) {
        return push_new(m, PICKLE_DICT, &made);
    }
    TRY(push_new(m, PICKLE_CALL, &made));
    TRY(add_item(m, made, what));
    return add_item(m, made, with);
}

static hl_status push_stored(machine *m) {
    pickle_value *id, *made;
    TRY(pop(m, &id));
    TRY(push_new(m, PICKLE_STORED, &made));
    TRY(add_item(m, made, id));
    return append(m, &m->out->stored, &m->out->stored_count, &m->out->stored_room, made);
}

/* ---- the memo ---- */

static hl_status put(machine *m, uint64_t place) {
    pickle_value *value;
    TRY(top(m, &value));
    if (place > MOST_VALUES) return damaged(m, "it remembers too much");
    if (place >= m->memo.room) {
        size_t wanted = 2 * (size_t)place + 256;
        pickle_value **grown = realloc(m->memo.items, wanted * sizeof *grown);
        if (!grown) return no_memory(m);
        memset(grown + m->memo.room, 0, (wanted - m->memo.room) * sizeof *grown);
        m->memo.items = grown;
        m->memo.room = wanted;
    }
    m->memo.count += !m->memo.items[place];
    m->memo.items[place] = value;
    return HL_OK;
}

static hl_status get(machine *m, uint64_t place) {
    if (place >= m->memo.room || !m->memo.items[place]) {
        return damaged(m, "it recalls what it never remembered");
    }
    return push(m, m->memo.items[place]);
}

static hl_status put_numbered(machine *m, size_t width) {
    uint64_t place;
    TRY(take_number(m, width, &place));
    return put(m, place);
}

static hl_status get_numbered(machine *m, size_t width) {
    uint64_t place;
    TRY(take_number(m, width, &place));
    return get(m, place);
}

/* ---- the program ---- */

static hl_status push_short(machine *m, size_t width, bool is_signed) {
    uint64_t number;
    TRY(take_number(m, width, &number));
    return push_integer(m, PICKLE_INTEGER, is_signed ? (int32_t)(uint32_t)number : (int64_t)number);
}

static hl_status skip(machine *m, size_t count) {
    const uint8_t *bytes;
    return take(m, count, &bytes);
}

static hl_status push_skipped(machine *m, size_t count) {
    TRY(skip(m, count));
    return push_integer(m, PICKLE_NOTHING, 0);
}

static hl_status duplicate(machine *m) {
    pickle_value *value;
    TRY(top(m, &value));
    return push(m, value);
}

static hl_status drop(machine *m) {
    pickle_value *value;
    if (m->mark_count && m->stack.count == floor_of(m)) return --m->mark_count, HL_OK;
    return pop(m, &value);
}

static hl_status drop_marked(machine *m) {
    pickle_value **items;
    size_t count;
    return pop_to_mark(m, &items, &count);
}

static hl_status check_protocol(machine *m) {
    uint64_t protocol;
    TRY(take_number(m, 1, &protocol));
    if (protocol >= 2 && protocol <= 5) return HL_OK;
    return hl_fail(m->error, HL_FAILED, "%s: is a pickle of protocol %" PRIu64 ", expected 2 to 5", m->what,
                   protocol);
}

static hl_status stop(machine *m) {
    pickle_value *root;
    if (m->mark_count || m->stack.count != 1) return damaged(m, "it ends with more than one value");
    TRY(pop(m, &root));
    m->out->root = root;
    m->stopped = true;
    return HL_OK;
}

static hl_status unknown(machine *m, uint8_t code) {
    return hl_fail(m->error, HL_FAILED,
                   "%s: at byte %zu of its pickle is the instruction 0x%02x, which no list of tensors needs; "
                   "write the file again with torch.save",
                   m->what, m->at - 1, code);
}

/* The names of instructions as pickletools has them. */
static hl_status step(machine *m, uint8_t code) {
    pickle_value *made;
    switch (code) {
    case 0x80:
        return check_protocol(m); /* PROTO */
    case 0x95:
        return skip(m, 8); /* FRAME */
    case '.':
        return stop(m); /* STOP */
    case 'N':
        return push_integer(m, PICKLE_NOTHING, 0); /* NONE */
    case 0x88:
        return push_integer(m, PICKLE_BOOL, 1); /* NEWTRUE */
    case 0x89:
        return push_integer(m, PICKLE_BOOL, 0); /* NEWFALSE */
    case 'J':
        return push_short(m, 4, true); /* BININT */
    case 'K':
        return push_short(m, 1, false); /* BININT1 */
    case 'M':
        return push_short(m, 2, false); /* BININT2 */
    case 0x8a:
        return push_long(m, 1); /* LONG1 */
    case 0x8b:
        return push_long(m, 4); /* LONG4 */
    case 'G':
        return push_skipped(m, 8); /* BINFLOAT */
    case 'X':
    case 'T':
    case 'B':
        return push_bytes(m, 4); /* BINUNICODE BINSTRING BINBYTES */
    case 'U':
    case 'C':
    case 0x8c:
        return push_bytes(m, 1); /* the same, SHORT_ */
    case 0x8d:
    case 0x8e:
    case 0x96:
        return push_bytes(m, 8); /* BINUNICODE8 BINBYTES8 BYTEARRAY8 */
    case ']':
    case ')':
    case 0x8f:
        return push_new(m, PICKLE_LIST, &made); /* EMPTY_LIST _TUPLE _SET */
    case '}':
        return push_new(m, PICKLE_DICT, &made); /* EMPTY_DICT */
    case 0x85:
    case 0x86:
    case 0x87:
        return push_last(m, code - 0x84U); /* TUPLE1 2 3 */
    case 't':
    case 'l':
    case 0x91:
        return push_marked(m, PICKLE_LIST); /* TUPLE LIST FROZENSET */
    case 'd':
        return push_marked(m, PICKLE_DICT); /* DICT */
    case '(':
        return push_mark(m); /* MARK */
    case '0':
        return drop(m); /* POP */
    case '1':
        return drop_marked(m); /* POP_MARK */
    case '2':
        return duplicate(m); /* DUP */
    case 'a':
        return extend_last(m, 1); /* APPEND */
    case 's':
        return extend_last(m, 2); /* SETITEM */
    case 'e':
    case 0x90:
        return extend_marked(m, false); /* APPENDS ADDITEMS */
    case 'u':
        return extend_marked(m, true); /* SETITEMS */
    case 'b':
        return build(m); /* BUILD */
    case 'c':
        return push_global(m); /* GLOBAL */
    case 0x93:
        return push_stacked_global(m); /* STACK_GLOBAL */
    case 'R':
    case 0x81:
        return call(m, 1); /* REDUCE NEWOBJ */
    case 0x92:
        return call(m, 2); /* NEWOBJ_EX: of its arguments the first */
    case 'Q':
        return push_stored(m); /* BINPERSID */
    case 'h':
        return get_numbered(m, 1); /* BINGET */
    case 'j':
        return get_numbered(m, 4); /* LONG_BINGET */
    case 'q':
        return put_numbered(m, 1); /* BINPUT */
    case 'r':
        return put_numbered(m, 4); /* LONG_BINPUT */
    case 0x94:
        return put(m, m->memo.count); /* MEMOIZE */
    default:
        return unknown(m, code);
    }
}

static hl_status run(machine *m) {
    while (!m->stopped) {
        uint64_t code;
        TRY(take_number(m, 1, &code));
        TRY(step(m, (uint8_t)code));
    }
    return HL_OK;
}

hl_status pickle_read(const char *what, const uint8_t *bytes, size_t count, pickle_permission *may,
                      pickle *out, hl_error *error) {
    *out = (pickle){.root = NULL};
    machine m = {.what = what, .bytes = bytes, .count = count, .may = may, .out = out, .error = error};
    hl_status status = run(&m);
    out->used = m.at;
    free(m.stack.items);
    free(m.memo.items);
    free(m.marks);
    return status;
}

void pickle_free(pickle *self) {
    arena_free(&self->memory);
    self->root = NULL;
}

pickle_value *pickle_get(const pickle_value *dict, const char *key) {
    if (!dict || dict->kind != PICKLE_DICT) return NULL;
    for (size_t i = dict->count; i >= 2; i -= 2) {
        if (pickle_is_text(dict->items[i - 2], key)) return dict->items[i - 1];
    }
    return NULL;
}
