/* A tree as bytes and back, the same node by node: for what is kept on disk. JSON would lose what a number
 * was, and which lists are tables. */
#ifndef PACKED_H
#define PACKED_H

#include "core/io/packing.h"
#include "core/tree/tree.h"

/* A node and all below it. HL_FAILED for grids and pictures, which are not kept. */
hl_status tree_pack(const hl_node *node, packer *to, hl_error *error);

/* Adds the next node of `from` to the item, under its own key. HL_FAILED for what is no tree; what does not
 * fit into the item is remembered by the item's tree. */
hl_status tree_unpack(unpacker *from, hl_item *item, hl_error *error);

#endif
