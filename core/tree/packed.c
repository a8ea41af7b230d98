/* See packed.h. A node is its type, its key and its value; a list or a map says how many entries follow. */
#include "core/tree/packed.h"

static hl_status pack_entries(const hl_node *node, packer *to, hl_error *error) {
    hl_status status = HL_OK;
    pack_whole(to, node->count);
    for (const hl_node *entry = node->first; entry && status == HL_OK; entry = entry->next) {
        status = tree_pack(entry, to, error);
    }
    return status;
}

static void pack_value(const hl_node *node, packer *to) {
    pack_text(to, node->text);
    pack_whole(to, node->whole);
    pack_double(to, node->number);
    pack_whole(to, node->truth);
    pack_whole(to, node->single);
}

hl_status tree_pack(const hl_node *node, packer *to, hl_error *error) {
    pack_whole(to, node->type);
    pack_text(to, node->key);
    if (node->type == HL_MAP || hl_is_list(node)) return pack_entries(node, to, error);
    if (node->type >= HL_GRID) {
        return hl_fail(error, HL_FAILED, "a %s is not kept", node->type == HL_GRID ? "grid" : "picture");
    }
    pack_value(node, to);
    return HL_OK;
}

static hl_status wrong(hl_error *error) {
    return hl_fail(error, HL_FAILED, "what was kept of a tree is damaged");
}

/* A map or list that was not taken has said so, and its entries have no place. */
static hl_status unpack_entries(unpacker *from, hl_item *item, hl_error *error) {
    int64_t count = unpack_whole(from);
    hl_status status = item ? HL_OK : wrong(error);
    for (int64_t i = 0; i < count && status == HL_OK; ++i) status = tree_unpack(from, item, error);
    return status;
}

static hl_status unpack_value(unpacker *from, hl_item *item, const char *key, uint32_t type,
                              hl_error *error) {
    hl_node node = {.type = type};
    node.text = unpack_text(from);
    node.whole = unpack_whole(from);
    node.number = unpack_double(from);
    node.truth = unpack_whole(from) != 0;
    node.single = unpack_whole(from) != 0;
    if (from->wrong) return wrong(error);
    item_copy(item, key, &node);
    return HL_OK;
}

hl_status tree_unpack(unpacker *from, hl_item *item, hl_error *error) {
    uint32_t type = (uint32_t)unpack_whole(from);
    const char *key = unpack_text(from);
    bool has_key = item_node(item)->type == HL_MAP;
    if (from->wrong || type >= HL_GRID || has_key != (key != NULL)) return wrong(error);
    if (type == HL_MAP) return unpack_entries(from, item_map(item, key), error);
    if (type >= HL_LIST) return unpack_entries(from, item_list(item, key, type), error);
    return unpack_value(from, item, key, type, error);
}
