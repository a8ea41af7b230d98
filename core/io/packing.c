/* See packing.h. */
#include "core/io/packing.h"

#include <stdlib.h>
#include <string.h>

/* ---- packing ---- */

void pack_bytes(packer *self, const void *bytes, size_t count) {
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

void pack_whole(packer *self, int64_t value) {
    pack_bytes(self, &value, sizeof value);
}

void pack_double(packer *self, double value) {
    pack_bytes(self, &value, sizeof value);
}

/* -1: there is none. */
void pack_text(packer *self, const char *text) {
    pack_whole(self, text ? (int64_t)strlen(text) : -1);
    if (text) pack_bytes(self, text, strlen(text) + 1);
}

/* ---- unpacking ---- */

const void *unpack_bytes(unpacker *self, size_t count) {
    const void *taken = self->at;
    self->wrong = self->wrong || count > self->left;
    if (self->wrong) return NULL;
    self->at += count;
    self->left -= count;
    return taken;
}

int64_t unpack_whole(unpacker *self) {
    int64_t value = 0;
    const void *from = unpack_bytes(self, sizeof value);
    if (from) memcpy(&value, from, sizeof value);
    return value;
}

double unpack_double(unpacker *self) {
    double value = 0;
    const void *from = unpack_bytes(self, sizeof value);
    if (from) memcpy(&value, from, sizeof value);
    return value;
}

const char *unpack_text(unpacker *self) {
    int64_t length = unpack_whole(self);
    if (length < 0) return NULL;
    const char *text = unpack_bytes(self, (size_t)length + 1);
    self->wrong = self->wrong || strnlen(text, (size_t)length + 1) != (size_t)length;
    return self->wrong ? NULL : text;
}
