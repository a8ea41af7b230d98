/* Python's pickles as data (docs.python.org/3/library/pickletools.html): numbers, texts, lists, dicts, and
 * what else a pickle says, as a tree. Nothing is run: a call is kept as what is called and with what, and
 * what may be called at all is up to a list of names. Never knows what the values are for. */
#ifndef PICKLE_H
#define PICKLE_H

#include "core/io/arena.h"
#include "headlight/error.h"
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

typedef enum pickle_kind {
    PICKLE_NOTHING, /* None, numbers beyond int64, and whatever else is of no interest */
    PICKLE_BOOL,
    PICKLE_INTEGER,
    PICKLE_BYTES, /* text or bytes */
    PICKLE_LIST,  /* list, tuple or set */
    PICKLE_DICT,  /* items: a key, its value, the next key ... */
    PICKLE_NAME,  /* a function or class: "torch._utils._rebuild_tensor_v2" */
    PICKLE_CALL,  /* items[0] is called with items[1]; nobody does */
    PICKLE_STORED /* items[0] says what lies outside the pickle (a persistent id) */
} pickle_kind;

typedef struct pickle_value pickle_value;
struct pickle_value {
    pickle_kind kind;
    bool open;            /* for whoever walks the tree: is being walked */
    int64_t integer;      /* also of a bool */
    const char *text;     /* of bytes and names: NUL behind it */
    size_t length;        /* of the text */
    pickle_value **items; /* of lists, dicts, calls and what is stored */
    size_t count, room;   /* of items */
    pickle_value *state;  /* what a call's result was filled with afterwards (BUILD); NULL: nothing */
};

typedef struct pickle {
    arena memory;
    pickle_value *root;
    pickle_value **stored; /* all of kind PICKLE_STORED, in the order of the pickle */
    size_t stored_count, stored_room;
    size_t used; /* bytes of the input up to the pickle's end */
} pickle;

/* May a pickle name this? "posix.system" */
typedef bool pickle_permission(const char *name);

/* Reads one pickle from the beginning of the bytes, which need not end with it. `what` is for messages:
 * "model.pt: archive/data.pkl". pickle_free it, also after a failure. */
hl_status pickle_read(const char *what, const uint8_t *bytes, size_t count, pickle_permission *may,
                      pickle *out, hl_error *error);
void pickle_free(pickle *self); /* accepts a zeroed one */

static inline bool pickle_is_text(const pickle_value *value, const char *text) {
    return value && value->kind == PICKLE_BYTES && strcmp(value->text, text) == 0;
}

/* A function or class of this name. */
static inline bool pickle_is_name(const pickle_value *value, const char *name) {
    return value && value->kind == PICKLE_NAME && strcmp(value->text, name) == 0;
}

/* The value of a text key; NULL: there is none, or it is no dict. */
pickle_value *pickle_get(const pickle_value *dict, const char *key);

#endif
