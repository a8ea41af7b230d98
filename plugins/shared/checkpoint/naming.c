/* See naming.h. */
#include "naming.h"

#include <stdio.h>
#include <string.h>

/* How much of `name` the beginning covers, and which number stands for '#'. */
static bool begins(const char *name, const char *beginning, size_t *covered, const char **digits,
                   size_t *digit_count) {
    size_t before = strcspn(beginning, "#");
    *digit_count = 0;
    *covered = before;
    if (strncmp(name, beginning, before) != 0) return false;
    if (!beginning[before]) return true;
    *digits = name + before;
    *digit_count = strspn(*digits, "0123456789");
    const char *behind = beginning + before + 1;
    *covered += *digit_count + strlen(behind);
    return *digit_count > 0 && strncmp(*digits + *digit_count, behind, strlen(behind)) == 0;
}

static void write_part(char out[TENSOR_NAME_ROOM], const char *before, const char *beginning,
                       const char *digits, size_t digit_count, const char *end) {
    size_t plain = strcspn(beginning, "#");
    const char *behind = beginning[plain] ? beginning + plain + 1 : "";
    snprintf(out, TENSOR_NAME_ROOM, "%s%.*s%.*s%s%s", before, (int)plain, beginning, (int)digit_count,
             digit_count ? digits : "", behind, end);
}

static const tensor_name *find_row(const tensor_name *rows, const char *end) {
    while (rows->ours && strcmp(rows->ours, end) != 0) ++rows;
    return rows->ours ? rows : NULL;
}

static bool find_in_group(const tensor_group *group, const char *before, const char *ours,
                          tensor_place *out) {
    size_t covered, digit_count;
    const char *digits = NULL;
    if (!begins(ours, group->ours, &covered, &digits, &digit_count)) return false;
    const tensor_name same = {ours + covered, {ours + covered}, TENSOR_AS_STORED};
    const tensor_name *row = group->names ? find_row(group->names, ours + covered) : &same;
    if (!row) return false;
    out->form = row->form;
    for (; out->count < TENSOR_PARTS && row->theirs[out->count]; ++out->count) {
        const char *part = row->theirs[out->count];
        if (part_is_made(part))
            snprintf(out->parts[out->count], TENSOR_NAME_ROOM, "%s", part);
        else
            write_part(out->parts[out->count], before, group->theirs, digits, digit_count, part);
    }
    return true;
}

void naming_find(const tensor_naming *naming, const char *before, const char *ours, tensor_place *out) {
    static const tensor_group own = {"", "", NULL};
    *out = (tensor_place){.count = 0};
    if (!naming->groups) {
        find_in_group(&own, before, ours, out);
        return;
    }
    for (const tensor_group *group = naming->groups; group->ours; ++group) {
        if (find_in_group(group, before, ours, out)) return;
    }
}
