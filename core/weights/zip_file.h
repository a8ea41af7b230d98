/* Which entries a zip archive has and where their bytes lie (minizip). Everything that would make two entries
 * one, or one entry larger than what the file can honestly hold, is refused for the whole archive. */
#ifndef ZIP_FILE_H
#define ZIP_FILE_H

#include "core/weights/table.h"

typedef struct zip_entry {
    const char *name;
    uint64_t begin;        /* of its bytes in the file, as they are stored */
    uint64_t packed, size; /* bytes in the file, and of what they unpack to; the same where `stored` */
    bool stored;           /* not compressed */
} zip_entry;

typedef struct zip_file {
    const weights_file *file;
    arena names;
    zip_entry *entries; /* by name */
    size_t count;
} zip_file;

/* zip_close it, also after a failure. */
hl_status zip_open(const weights_file *file, zip_file *out, hl_error *error);
void zip_close(zip_file *self); /* accepts a zeroed one */

const zip_entry *zip_find(const zip_file *self, const char *name); /* NULL: there is none */

/* The unpacked bytes of a small entry, at most `most` of them, checked against their checksum; free() them.
 */
hl_status zip_read(const zip_file *self, const zip_entry *entry, size_t most, uint8_t **bytes, size_t *count,
                   hl_error *error);

#endif
