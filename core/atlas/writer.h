/* The folder of an atlas that is being made or changed: one process at a time, always whole.
 *
 * A shard is written beside its final place, synced and renamed; then atlas.json is replaced in the same way.
 * Whatever happens in between, the atlas is what atlas.json says. What a change adds and takes away is noted
 * before, in a hidden file, so that what an interruption leaves is removed when the folder is next opened for
 * writing, and nothing else ever is: a shard that neither file lists is somebody's. */
#ifndef WRITER_H
#define WRITER_H

#include "core/atlas/shard_builder.h"

typedef struct atlas_writer atlas_writer;

/* Opens the atlas in `folder`, if there is one, or the folder for it, which is made; locks it until it is
 * closed (HL_UNAVAILABLE while another process has it). An atlas that is there and that this process may not
 * write, or that another process has, is opened all the same, and the first change fails. HL_USAGE when the
 * folder holds something else, HL_FAILED when it holds shards without an atlas.json. */
hl_status atlas_writer_begin(const char *folder, atlas_writer **out, hl_error *error);

/* Then, before anything else: the layout that shards will have. HL_USAGE when the atlas there differs in more
 * than optional columns. Shards get the columns of the layout and those of the atlas. shard_size 0: as it
 * was, or for a new atlas the default. */
hl_status atlas_writer_settle_on(atlas_writer *self, const atlas_layout *layout, size_t shard_size,
                                 hl_error *error);

/* Both. */
hl_status atlas_writer_open(const char *folder, const atlas_layout *layout, size_t shard_size,
                            atlas_writer **out, hl_error *error);
/* Leaves no folder behind when nothing was published in it. Accepts NULL. */
void atlas_writer_close(atlas_writer *self);

/* Files in the folder that are named like shards and are none of the atlas's; they stay, and new shards get
 * other numbers. */
hl_status atlas_writer_strangers(const atlas_writer *self, size_t *count, hl_error *error);

/* HL_USAGE when an atlas cannot be made in this folder, for something else is there. Changes nothing. */
hl_status atlas_writer_may_found(const char *folder, hl_error *error);

/* Whether it can be changed: before work that would be lost. HL_UNAVAILABLE while another process changes it.
 */
hl_status atlas_writer_check(const atlas_writer *self, hl_error *error);

/* Makes sure that there is an atlas, if only an empty one. */
hl_status atlas_writer_found(atlas_writer *self, hl_error *error);

/* As it is now, what has been added or dropped included; NULL before a layout was settled on where there is
 * no atlas. */
const manifest *atlas_writer_manifest(const atlas_writer *self);
/* Of new shards. */
const shard_layout *atlas_writer_layout(const atlas_writer *self);

/* Adds a shard and publishes it. */
hl_status atlas_writer_append(atlas_writer *self, shard_builder *filled, const hl_host *host,
                              hl_error *error);

/* Puts a shard in the place of another, which is deleted; an empty one only deletes it. */
hl_status atlas_writer_replace(atlas_writer *self, uint64_t number, shard_builder *filled,
                               const hl_host *host, hl_error *error);

/* Brings an atlas.json of version 1 up to version 2: `sums` are those of its shards, in its order, which have
 * been verified; NULL: of this one they are not known. */
hl_status atlas_writer_complete(atlas_writer *self, shard_sums *const *sums, hl_error *error);

/* Copies a shard file of another atlas, whose checksum must be right. All that have been copied are there
 * after `publish`, and none before or without it. */
hl_status atlas_writer_copy(atlas_writer *self, const atlas *from, size_t shard, hl_error *error);
hl_status atlas_writer_publish(atlas_writer *self, hl_error *error);

/* Deletes the atlas; its folder, if nothing else is in it, goes when the writer is closed. */
hl_status atlas_writer_remove(atlas_writer *self, hl_error *error);

#endif
