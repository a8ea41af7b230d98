/* From a query to a search; see nearest.h. With a direction t a head's query is q = B t, with an image it is
 * q = B c, c being the weighted mean or sum of what the image's selection writes; an MLP's contribution is
 * its own code. The rest is the search's business. */
#include "core/asking/nearest_inside.h"

#include "core/atlas/search.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* One query's memory. */
typedef struct question {
    nearest *searched;
    const hl_query *query;
    float *direction;   /* t, or what the query image is compared by: embed_dim numbers */
    float *queries;     /* of all heads, one after the other */
    search_part *parts; /* one for each component of the selection, or the embedding */
    size_t part_count;
    double *weights; /* of these, as shares of the largest; NULL: all 1 */
    double largest;  /* that; 1 without weights */
    bool is_sum;     /* a weight below 0 is among them: nothing is divided by their sum */
    bool *leave_out; /* by image of the atlas */
    search_hit *hits;
    size_t room; /* hits */
} question;

static bool is_whole(const hl_selection *selection) {
    return selection->kind == HL_EMBEDDING;
}

static bool allocate(question *self) {
    const nearest *searched = self->searched;
    const hl_selection *selection = self->query->selection;
    size_t numbers = 0, images = atlas_count(searched->atlas);
    for (size_t i = 0; i < selection->count; ++i) {
        numbers += engine_code_width(engine_component(searched->model, selection->components[i]));
    }
    self->part_count = is_whole(selection) ? 1 : selection->count;
    self->room = self->query->count < images ? self->query->count : images;
    self->direction = calloc(searched->model->info->embed_dim, sizeof *self->direction);
    self->queries = calloc(numbers + 1, sizeof *self->queries);
    self->parts = calloc(self->part_count, sizeof *self->parts);
    self->weights = selection->weights ? calloc(selection->count, sizeof *self->weights) : NULL;
    self->leave_out = calloc(images + 1, sizeof *self->leave_out);
    self->hits = calloc(self->room + 1, sizeof *self->hits);
    return self->direction && self->queries && self->parts && (self->weights || !selection->weights) &&
           self->leave_out && self->hits;
}

static void release(question *self) {
    free(self->direction);
    free(self->queries);
    free(self->parts);
    free(self->weights);
    free(self->leave_out);
    free(self->hits);
}

/* Shares of the largest, of which none are so small that their squares vanish. A mean is the same for all
 * multiples of its weights; a sum's scores are multiplied again. */
static void share_weights(question *self) {
    const hl_selection *selection = self->query->selection;
    self->largest = 1;
    if (!self->weights) return;
    double largest = 0;
    for (size_t i = 0; i < selection->count; ++i) {
        largest = fmax(largest, fabs(selection->weights[i]));
        self->is_sum |= selection->weights[i] < 0;
    }
    for (size_t i = 0; i < selection->count; ++i) self->weights[i] = selection->weights[i] / largest;
    self->largest = largest;
}

/* ---- the direction that images are compared with ---- */

/* What the selection writes into the query image: the weighted mean, or sum. */
static hl_status combine_contributions(question *self, const hl_ask *ask, hl_error *error) {
    const hl_selection *selection = self->query->selection;
    size_t width = ask->model->embed_dim;
    float *one = calloc(width, sizeof *one);
    double *sums = calloc(width, sizeof *sums), total = 0;
    hl_status status = one && sums ? HL_OK : hl_no_memory(error, "a query");
    for (size_t i = 0; i < selection->count && status == HL_OK; ++i) {
        status = ask->contribution(ask, self->query->image, selection->components[i], one, error);
        double weight = self->weights ? self->weights[i] : 1;
        for (size_t j = 0; j < width && status == HL_OK; ++j) sums[j] += weight * (double)one[j];
        total += weight;
    }
    for (size_t j = 0; j < width && status == HL_OK; ++j) {
        self->direction[j] = (float)(sums[j] / (self->is_sum ? 1 : total));
    }
    free(one);
    free(sums);
    return status;
}

static double length_of(const float *vector, size_t width) {
    double sum = 0;
    for (size_t j = 0; j < width; ++j) sum += (double)vector[j] * (double)vector[j];
    return sqrt(sum);
}

static hl_status normalise_embedding(question *self, const hl_ask *ask, hl_error *error) {
    size_t width = ask->model->embed_dim;
    hl_status status = ask->embedding(ask, self->query->image, self->direction, error);
    if (status != HL_OK) return status;
    double length = length_of(self->direction, width);
    for (size_t j = 0; j < width && length > 0; ++j) {
        self->direction[j] = (float)((double)self->direction[j] / length);
    }
    return HL_OK;
}

static hl_status find_direction(question *self, const hl_ask *ask, hl_error *error) {
    bool whole = is_whole(self->query->selection);
    if (self->query->image) {
        return whole ? normalise_embedding(self, ask, error) : combine_contributions(self, ask, error);
    }
    size_t width = ask->model->embed_dim;
    memcpy(self->direction, self->query->direction->vector, width * sizeof *self->direction);
    return HL_OK;
}

/* ---- what is read ---- */

uint32_t nearest_columns(const hl_model_info *model, const hl_selection *selection) {
    if (is_whole(selection)) return ATLAS_EMBEDDING;
    uint32_t columns = 0;
    for (size_t i = 0; i < selection->count; ++i) {
        bool known = selection->components[i] < model->component_count;
        if (known && hl_component_at(model, selection->components[i])->kind != HL_HEAD) columns |= ATLAS_MLPS;
    }
    return columns;
}

static bool has_heads_only(const hl_model_info *model) {
    for (uint32_t i = 0; i < model->component_count; ++i) {
        if (hl_component_at(model, i)->kind != HL_HEAD) return false;
    }
    return true;
}

uint32_t nearest_columns_of_needs(const hl_model_info *model, uint32_t needs) {
    bool others = needs & HL_NEEDS_MLPS && !has_heads_only(model);
    return (needs & HL_NEEDS_EMBEDDINGS ? (uint32_t)ATLAS_EMBEDDING : 0) |
           (others ? (uint32_t)ATLAS_MLPS : 0);
}

static hl_status check_column(const nearest *self, const atlas_layout *layout, uint32_t column,
                              const char *what, hl_error *error) {
    const char *name = column == ATLAS_MLPS ? "mlps" : "embedding";
    if (!(layout->columns & column)) {
        return hl_fail(error, HL_USAGE,
                       "%s: lacks the column \"%s\", which a question about %s reads; add it with "
                       "`headlight index --columns %s` or name another `atlas`",
                       self->settings.atlas, name, what, name);
    }
    bool same = layout->embed_dim == self->model->info->embed_dim &&
                (column != ATLAS_MLPS || layout->mlps == self->model->other_count);
    if (same) return HL_OK;
    return hl_fail(error, HL_USAGE,
                   "%s: its column \"%s\" has another shape than the model's; name another `atlas`",
                   self->settings.atlas, name);
}

static hl_status check_head(const nearest *self, const atlas_layout *layout, const hl_component *component,
                            size_t *out, hl_error *error) {
    for (*out = 0; *out < layout->head_count; ++*out) {
        if (strcmp(layout->heads[*out].name, component->name) == 0) break;
    }
    if (*out == layout->head_count) {
        return hl_fail(error, HL_USAGE,
                       "%s: holds no codes of head %s, which an analysis asks for; make it anew with all "
                       "layers or name another `atlas`",
                       self->settings.atlas, component->name);
    }
    const atlas_head *head = &layout->heads[*out];
    bool same = head->width == component->width && head->scalar_count == component->scalar_count &&
                layout->embed_dim == self->model->info->embed_dim;
    if (same) return HL_OK;
    return hl_fail(error, HL_USAGE, "%s: head %s has other shapes than the model's; name another `atlas`",
                   self->settings.atlas, component->name);
}

hl_status nearest_head(const nearest *self, const hl_component *component, size_t *out, hl_error *error) {
    return check_head(self, atlas_layout_of(self->atlas), component, out, error);
}

hl_status nearest_check_heads(const nearest *self, const atlas_layout *layout, const hl_selection *selection,
                              hl_error *error) {
    hl_status status = HL_OK;
    for (size_t i = 0; i < selection->count && status == HL_OK; ++i) {
        const hl_component *component = engine_component(self->model, selection->components[i]);
        size_t head;
        if (component->kind == HL_HEAD) status = check_head(self, layout, component, &head, error);
    }
    return status;
}

hl_status nearest_other(const nearest *self, uint32_t component, size_t *row, hl_error *error) {
    const engine *model = self->model;
    for (*row = 0; *row < model->other_count; ++*row) {
        if (model->others[*row] == component) break;
    }
    return check_column(self, atlas_layout_of(self->atlas), ATLAS_MLPS,
                        engine_component(model, component)->name, error);
}

static hl_status make_other(const question *self, uint32_t index, search_part *part, hl_error *error) {
    part->column = SEARCH_OTHER;
    part->query = self->direction;
    return nearest_other(self->searched, index, &part->index, error);
}

static hl_status make_head(question *self, uint32_t index, float *query, search_part *part, hl_error *error) {
    engine *model = self->searched->model;
    const hl_component *component = engine_component(model, index);
    part->column = SEARCH_HEAD;
    part->query = query;
    hl_status status = nearest_head(self->searched, component, &part->index, error);
    if (status == HL_OK) status = engine_query(model, index, self->direction, query, error);
    return status == HL_OK ? engine_basis(model, component->basis, &part->basis, error) : status;
}

static hl_status make_parts(question *self, hl_error *error) {
    const engine *model = self->searched->model;
    const hl_selection *selection = self->query->selection;
    if (is_whole(selection)) {
        self->parts[0] = (search_part){.column = SEARCH_EMBEDDING, .query = self->direction};
        return check_column(self->searched, atlas_layout_of(self->searched->atlas), ATLAS_EMBEDDING,
                            "embeddings", error);
    }
    float *query = self->queries;
    hl_status status = HL_OK;
    for (size_t i = 0; i < selection->count && status == HL_OK; ++i) {
        uint32_t index = selection->components[i];
        const hl_component *component = engine_component(model, index);
        status = component->kind == HL_HEAD ? make_head(self, index, query, &self->parts[i], error)
                                            : make_other(self, index, &self->parts[i], error);
        query += engine_code_width(component);
    }
    return status;
}

/* ---- the search ---- */

/* What the gallery lacks, and the query image itself. */
static void find_left_out(question *self) {
    const nearest *searched = self->searched;
    size_t count = atlas_count(searched->atlas);
    const hl_query *query = self->query;
    memcpy(self->leave_out, searched->absent, count * sizeof *self->leave_out);
    image_file asked = {.known = false};
    if (query->image && query->image->path && !query->include_query)
        asked = nearest_identify(query->image->path);
    for (size_t i = 0; i < count && asked.known; ++i) {
        const image_file *image = &searched->identities[i];
        if (image->known && compare_identities(&image->file, &asked.file) == 0) self->leave_out[i] = true;
    }
}

/* What scores are short of, for the weights are shares of the largest: on the side of the images, and on that
 * of a query image. */
static double missing_factor(const question *self) {
    if (!self->is_sum || self->query->metric == HL_COSINE) return 1;
    return self->query->image ? self->largest * self->largest : self->largest;
}

static hl_status search(question *self, hl_neighbor *neighbors, size_t *found, hl_error *error) {
    const nearest *searched = self->searched;
    const hl_query *query = self->query;
    find_left_out(self);
    search_request request = {
        .parts = self->parts,
        .part_count = self->part_count,
        .weights = self->weights,
        .is_sum = self->is_sum,
        .cosine = query->metric == HL_COSINE,
        .query_length = length_of(self->direction, searched->model->info->embed_dim),
        .count = self->room,
        .leave_out = self->leave_out,
    };
    hl_status status =
        atlas_search(searched->atlas, searched->model->interface, &request, self->hits, found, error);
    double factor = missing_factor(self);
    for (size_t i = 0; i < *found && status == HL_OK; ++i) {
        neighbors[i] =
            (hl_neighbor){atlas_path(searched->atlas, self->hits[i].image), factor * self->hits[i].score};
    }
    return status;
}

static hl_status check_weight(const hl_selection *selection, size_t index, hl_error *error) {
    double weight = selection->weights ? selection->weights[index] : 1;
    if (isfinite(weight) && (weight < 0 || weight > 0)) return HL_OK;
    return hl_fail(error, HL_FAILED,
                   "asked for neighbours with a weight of %g; expected a finite number other than 0", weight);
}

static hl_status check_query(const nearest *self, const hl_query *query, hl_error *error) {
    const hl_selection *selection = query->selection;
    bool some = selection && (is_whole(selection) || selection->count > 0);
    if (!query->image == !query->direction || !some) {
        return hl_fail(error, HL_FAILED, "asked for neighbours without one query and a selection");
    }
    if (is_whole(selection) && selection->count > 0) {
        return hl_fail(error, HL_FAILED, "asked for neighbours in the embedding and in components at once");
    }
    hl_status status = HL_OK;
    for (size_t i = 0; i < selection->count && status == HL_OK; ++i) {
        if (selection->components[i] >= self->model->info->component_count) {
            return hl_fail(error, HL_FAILED, "asked for neighbours in component %u of %u",
                           selection->components[i], self->model->info->component_count);
        }
        status = check_weight(selection, i, error);
    }
    return status;
}

hl_status nearest_find(nearest *self, const hl_ask *ask, const hl_query *query, hl_neighbor *neighbors,
                       size_t *found, hl_error *error) {
    *found = 0;
    hl_status status = check_query(self, query, error);
    if (status == HL_OK) {
        status = nearest_prepare(self, nearest_columns(self->model->info, query->selection), error);
    }
    if (status != HL_OK) return status;
    question asked = {.searched = self, .query = query};
    status = allocate(&asked) ? HL_OK : hl_no_memory(error, "a query");
    if (status == HL_OK) share_weights(&asked);
    if (status == HL_OK) status = find_direction(&asked, ask, error);
    if (status == HL_OK) status = make_parts(&asked, error);
    if (status == HL_OK) status = search(&asked, neighbors, found, error);
    release(&asked);
    return status;
}
