/* The bases, in double precision (Gandelsman, Efros and Steinhardt 2024, section 3; constants shared out over
 * the K = 2 layers + 1 summands of the residual stream):
 *     of a head:             [ W_O[h] G ; b_O G / H ; -gamma P / (K H) ; beta P / (K H) ]
 *     of MLPs and the input: [ G ; -gamma P / K ; beta P / K ]            with G = diag(gamma) P
 * Only G, gamma P and beta P are kept; a layer's W_O is read from the file when it is asked for. */
#include "clip_vit.h"

#include <stdlib.h>
#include <string.h>

static const double *gamma_row(const hl_model *model) {
    return model->projected + model->config.image.width * model->config.embed_dim;
}

static const double *beta_row(const hl_model *model) {
    return gamma_row(model) + model->config.embed_dim;
}

static double summands(const hl_model *model) {
    return 2 * (double)model->config.image.layers + 1;
}

/* projected: (width + 2) x embed_dim. */
static void project(const float *gain, const float *shift, const float *projection, size_t width, size_t dim,
                    double *projected) {
    double *gamma = projected + width * dim, *beta = gamma + dim;
    memset(gamma, 0, 2 * dim * sizeof *gamma);
    for (size_t i = 0; i < width; ++i) {
        for (size_t j = 0; j < dim; ++j) {
            double p = projection[i * dim + j];
            double g = (double)gain[i] * p;
            projected[i * dim + j] = g;
            gamma[j] += g;
            beta[j] += (double)shift[i] * p;
        }
    }
}

hl_status prepare_bases(hl_model *model, hl_error *error) {
    const clip_config *config = &model->config;
    const tensor_spec specs[3] = {outer_tensor(config, LN_POST_GAIN), outer_tensor(config, LN_POST_SHIFT),
                                  outer_tensor(config, IMAGE_PROJECTION)};
    float *parts[3] = {NULL};
    size_t width = config->image.width, dim = config->embed_dim;
    model->projected = malloc((width + 2) * dim * sizeof *model->projected);
    hl_status status = model->projected ? HL_OK : hl_no_memory(error, "the bases");
    for (int i = 0; status == HL_OK && i < 3; ++i) {
        status = checkpoint_take(&model->weights, &specs[i], &parts[i], error);
    }
    if (status == HL_OK) project(parts[0], parts[1], parts[2], width, dim, model->projected);
    for (int i = 0; i < 3; ++i) free(parts[i]);
    return status;
}

/* The two rows that share ln_post's constants over `shares` components. */
static void constant_rows(const hl_model *model, double shares, float *out) {
    size_t dim = model->config.embed_dim;
    for (size_t j = 0; j < dim; ++j) {
        out[j] = (float)(-gamma_row(model)[j] / shares);
        out[dim + j] = (float)(beta_row(model)[j] / shares);
    }
}

/* Columns of the output projection that belong to the head, and its bias as one more: width x (head width +
 * 1). */
static hl_status read_output(const hl_model *model, size_t layer, size_t head, float *row, double *out,
                             hl_error *error) {
    const tower_shape *shape = &model->config.image;
    const tensor_spec matrix = layer_tensor(shape, layer, OUT_WEIGHT),
                      bias = layer_tensor(shape, layer, OUT_BIAS);
    size_t own = head_width(&model->config), columns_out = own + 1;
    for (size_t i = 0; i < shape->width; ++i) {
        TRY(checkpoint_read(&model->weights, &matrix, i * shape->width + head * own, own, row, error));
        for (size_t j = 0; j < own; ++j) out[i * columns_out + j] = row[j];
    }
    checkpoint_done(&model->weights, &matrix);
    TRY(checkpoint_read(&model->weights, &bias, 0, shape->width, row, error));
    checkpoint_done(&model->weights, &bias);
    for (size_t i = 0; i < shape->width; ++i) out[i * columns_out + own] = row[i];
    return HL_OK;
}

static hl_status head_basis(const hl_model *model, size_t layer, size_t head, float *out, hl_error *error) {
    const hl_compute *c = &model->compute;
    size_t width = model->config.image.width, heads = model->config.image.heads,
           dim = model->config.embed_dim;
    size_t own = head_width(&model->config), rows = own + 1;
    float *row = malloc(width * sizeof *row);
    double *output = malloc(width * rows * sizeof *output), *product = malloc(rows * dim * sizeof *product);
    hl_status status = row && output && product ? HL_OK : hl_no_memory(error, "a basis");
    if (status == HL_OK) status = read_output(model, layer, head, row, output, error);
    if (status == HL_OK) {
        status = c->api->product_f64(c->backend, true, false, rows, dim, width, output, rows,
                                     model->projected, dim, product, dim, error);
    }
    for (size_t i = 0; status == HL_OK && i < rows * dim; ++i) {
        bool is_bias = i >= own * dim;
        out[i] = (float)(is_bias ? product[i] / (double)heads : product[i]);
    }
    if (status == HL_OK) constant_rows(model, summands(model) * (double)heads, out + rows * dim);
    free(row);
    free(output);
    free(product);
    return status;
}

hl_status make_basis(const hl_model *model, uint32_t basis, float *out, hl_error *error) {
    size_t heads = model->config.image.heads, width = model->config.image.width,
           dim = model->config.embed_dim;
    if (basis >= model->info.basis_count) {
        return hl_fail(error, HL_USAGE, "clip-vit: basis %u does not exist, there are %u", basis,
                       model->info.basis_count);
    }
    if (basis + 1 < model->info.basis_count)
        return head_basis(model, basis / heads, basis % heads, out, error);
    for (size_t i = 0; i < width * dim; ++i) out[i] = (float)model->projected[i];
    constant_rows(model, summands(model), out + width * dim);
    return HL_OK;
}
