/* Any bytes as a list and as a gallery.json: refused, or a list of paths, all of them UTF-8. */
#include "core/atlas/gallery.c"

#include <unistr.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

static void read_with(parser *parse, const uint8_t *bytes, size_t count) {
    hl_error error;
    gallery *list = calloc(1, sizeof *list);
    if (!list || !(list->folder = strdup("."))) abort();
    hl_status status = parse("fuzz", bytes, count, list, &error);
    if (status == HL_OK && list->document) status = add_described("fuzz", list->document, list, &error);
    if (status == HL_OK && list->count > 0) {
        qsort(list->images, list->count, sizeof *list->images, compare_paths);
        drop_repeated(list);
        for (size_t i = 0; i < list->count; ++i) {
            const gallery_image *image = &list->images[i];
            if (!*image->path || gallery_find(list, image->path) != image) abort();
            if (u8_check((const uint8_t *)image->path, strlen(image->path))) abort();
        }
    }
    gallery_close(list);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    if (count == 0) return 0; /* empty files are refused before */
    read_with(parse_list, bytes, count);
    read_with(parse_document, bytes, count);
    return 0;
}
