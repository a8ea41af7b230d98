/* JSON as a tree. YAJL reads it and hands numbers out as they are written. It does not look whether it got
 * memory, so it gets it from here, and where there is none is left by a jump; the arena takes back what it
 * held. */
#include "core/io/utf8.h"
#include "core/tree/building.h"

#include <setjmp.h>
#include <string.h>
#include <yajl/yajl_parse.h>

enum {
    DEEPEST = 1000
}; /* levels; less than a tree may have, so that what is read can be copied into results */

typedef struct reader {
    const char *name, *once;
    tree *made;
    hl_item *in;      /* the map or list that is being filled */
    hl_item **around; /* those that it is in: DEEPEST */
    size_t levels;
    const char *key; /* of the entry to come; in the tree's arena */
    size_t skipped;  /* levels of an entry that does not count, itself included; 0: it counts */
    bool skips_next; /* the value to come does not count */
    arena memory;    /* YAJL's */
    jmp_buf no_memory;
    hl_status status;
    hl_error *error;
} reader;

/* ---- memory for YAJL ---- */

static void *take(void *user, size_t bytes) {
    reader *self = user;
    size_t *piece = arena_take(&self->memory, bytes + 2 * sizeof *piece);
    if (!piece) longjmp(self->no_memory, 1);
    piece[0] = bytes;
    return piece + 2; /* as aligned as the piece */
}

static void *take_more(void *user, void *old, size_t bytes) {
    size_t had = old ? ((size_t *)old)[-2] : 0;
    void *longer = take(user, bytes);
    if (old) memcpy(longer, old, had < bytes ? had : bytes);
    return longer;
}

static void give_back(void *user, void *old) {
    (void)user;
    (void)old;
}

/* ---- what YAJL finds ---- */

/* Whether the value that comes is to be kept; of one that is not only the levels are counted. */
static bool counts(reader *self) {
    bool skipped = self->skipped > 0 || self->skips_next;
    self->skips_next = false;
    return !skipped;
}

static const char *take_key(reader *self) {
    const char *key = self->key;
    self->key = NULL;
    return key;
}

static bool goes_on(const reader *self) {
    return self->status == HL_OK && self->made->status == HL_OK;
}

static void *add(reader *self, uint32_t type, size_t size) {
    return item_add(self->in, take_key(self), type, size);
}

static const char *keep(reader *self, const void *text, size_t count) {
    const char *kept = arena_copy_text(&self->made->memory, text, count);
    return kept ? kept : tree_no_memory(self->made);
}

static int on_null(void *user) {
    reader *self = user;
    if (counts(self)) add(self, HL_NOTHING, sizeof(hl_node));
    return goes_on(self);
}

static int on_truth(void *user, int value) {
    reader *self = user;
    hl_node *made = counts(self) ? add(self, HL_TRUTH, sizeof *made) : NULL;
    if (made) made->truth = value != 0;
    return goes_on(self);
}

static int on_number(void *user, const char *digits, size_t count) {
    reader *self = user;
    const char *kept = counts(self) ? keep(self, digits, count) : NULL;
    hl_node read = item_read_number(kept ? kept : "0"),
            *made = kept ? add(self, read.type, sizeof *made) : NULL;
    if (!made) return goes_on(self);
    made->text = kept;
    made->whole = read.whole;
    made->number = read.number;
    return 1;
}

static int on_text(void *user, const unsigned char *text, size_t count) {
    reader *self = user;
    const char *kept = counts(self) ? keep(self, text, count) : NULL;
    hl_node *made = kept ? add(self, HL_TEXT, sizeof *made) : NULL;
    if (made) made->text = kept;
    return goes_on(self);
}

static int on_key(void *user, const unsigned char *text, size_t count) {
    reader *self = user;
    if (self->skipped > 0) return 1;
    self->key = keep(self, text, count);
    if (!self->key) return 0;
    self->skips_next = item_find(self->in, self->key) != NULL;
    if (self->skips_next && self->once && self->levels == 2 && strcmp(self->key, self->once) == 0) {
        self->status =
            hl_fail(self->error, HL_FAILED, "%s: item %u (from 0): has two entries \"%s\"; keep one of them",
                    self->name, tree_node(self->made)->count - 1, self->once);
    }
    return goes_on(self);
}

static int begin(reader *self, uint32_t type) {
    if (self->levels == DEEPEST) {
        self->status =
            hl_fail(self->error, HL_FAILED, "%s: more than %d levels one in another; make it flatter",
                    self->name, DEEPEST);
        return 0;
    }
    self->around[self->levels++] = self->in;
    if (!counts(self)) {
        self->skipped++;
        return 1;
    }
    hl_item *made = add(self, type, sizeof *made);
    if (!made) return 0;
    made->owner = self->made;
    made->level = self->levels;
    self->in = made;
    return 1;
}

static int end(void *user) {
    reader *self = user;
    self->in = self->around[--self->levels];
    if (self->skipped > 0) self->skipped--;
    return 1;
}

static int on_map(void *user) {
    return begin(user, HL_MAP);
}

static int on_list(void *user) {
    return begin(user, HL_LIST);
}

/* ---- what YAJL takes and this does not ---- */

/* The 16 bits of an escape \uXXXX in valid JSON; -1: it is another. */
static long escaped(const char *at) {
    char digits[5] = "";
    if (at[0] != '\\' || at[1] != 'u') return -1;
    memcpy(digits, at + 2, 4);
    return strtol(digits, NULL, 16);
}

/* In valid JSON a backslash begins an escape. NUL, and halves of surrogate pairs, which no UTF-8 can hold. */
static hl_status check_escapes(const reader *self, const char *text, size_t count) {
    const char *end = text + count;
    for (const char *at = text; (at = memchr(at, '\\', (size_t)(end - at)));) {
        long code = escaped(at);
        const char *wrong = NULL;
        if (code == 0) wrong = "a NUL character";
        if (code >= 0xDC00 && code <= 0xDFFF) wrong = "the second half of a surrogate pair alone";
        if (code >= 0xD800 && code <= 0xDBFF) {
            long low = escaped(at + 6);
            if (low < 0xDC00 || low > 0xDFFF) wrong = "the first half of a surrogate pair alone";
            at += 6;
        }
        if (wrong) {
            return hl_fail(self->error, HL_FAILED, "%s: %s at byte %td, which no text may hold; remove it",
                           self->name, wrong, at - text);
        }
        at += code >= 0 ? 6 : 2;
    }
    return HL_OK;
}

static hl_status refuse_syntax(reader *self, yajl_handle handle, hl_status status) {
    if (self->status != HL_OK) return self->status;
    if (self->made->status != HL_OK) return tree_check(self->made, self->error);
    if (status == HL_OK) return HL_OK;
    return hl_fail(self->error, HL_FAILED,
                   "%s: no valid JSON near byte %zu; correct the file or make it again", self->name,
                   yajl_get_bytes_consumed(handle));
}

/* Between the jump's target and the jump nothing that is used afterwards lives outside *self. */
static hl_status parse(reader *self, const uint8_t *bytes, size_t count) {
    static const yajl_callbacks callbacks = {.yajl_null = on_null,
                                             .yajl_boolean = on_truth,
                                             .yajl_number = on_number,
                                             .yajl_string = on_text,
                                             .yajl_start_map = on_map,
                                             .yajl_map_key = on_key,
                                             .yajl_end_map = end,
                                             .yajl_start_array = on_list,
                                             .yajl_end_array = end};
    yajl_alloc_funcs memory = {.malloc = take, .realloc = take_more, .free = give_back, .ctx = self};
    if (setjmp(self->no_memory)) return hl_no_memory(self->error, self->name);
    yajl_handle handle = yajl_alloc(&callbacks, &memory, self);
    yajl_status found = yajl_parse(handle, bytes, count);
    if (found == yajl_status_ok) found = yajl_complete_parse(handle);
    hl_status status = refuse_syntax(self, handle, found == yajl_status_ok ? HL_OK : HL_FAILED);
    yajl_free(handle);
    return status;
}

static hl_status read_into(reader *self, const uint8_t *bytes, size_t count) {
    self->in = &self->made->holder;
    self->around = arena_take(&self->memory, DEEPEST * sizeof *self->around);
    if (!self->around) return hl_no_memory(self->error, self->name);
    size_t mark = utf8_mark(bytes, count);
    hl_status status = parse(self, bytes + mark, count - mark);
    return status == HL_OK ? check_escapes(self, (const char *)bytes, count) : status;
}

hl_status tree_read_json(const char *name, const uint8_t *bytes, size_t count, const char *once, tree **out,
                         hl_error *error) {
    *out = NULL;
    hl_status status = utf8_check(name, 1, bytes, count, error);
    reader self = {.name = name, .once = once, .error = error};
    if (status == HL_OK) status = tree_open_empty(&self.made, error);
    if (status == HL_OK) status = read_into(&self, bytes, count);
    arena_free(&self.memory);
    if (status == HL_OK) {
        *out = self.made;
    } else {
        tree_close(self.made);
    }
    return status;
}
