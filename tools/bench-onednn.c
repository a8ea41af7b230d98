/* bench-onednn ROWS OUTPUTS DEPTH RUNS: for bench-peers, the median GFLOP/s of oneDNN's products in f32, bf16
 * and int8 on one line. Weights are stored as oneDNN likes them, as any program that keeps them would. */
#include <oneapi/dnnl/dnnl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void check(dnnl_status_t status, const char *what) {
    if (status == dnnl_success) return;
    fprintf(stderr, "bench-onednn: %s: status %d\n", what, (int)status);
    exit(1);
}

static dnnl_memory_t memory_of(const dnnl_memory_desc_t *shape, dnnl_engine_t engine) {
    dnnl_memory_t out;
    void *bytes = NULL;
    check(dnnl_memory_create(&out, shape, engine, DNNL_MEMORY_ALLOCATE), "memory");
    check(dnnl_memory_get_data_handle(out, &bytes), "memory");
    memset(bytes, 0, dnnl_memory_desc_get_size(shape));
    return out;
}

static double measure(dnnl_engine_t engine, dnnl_stream_t stream, dnnl_dim_t rows, dnnl_dim_t outputs,
                      dnnl_dim_t depth, dnnl_data_type_t a, dnnl_data_type_t b, dnnl_data_type_t c,
                      int runs) {
    dnnl_memory_desc_t x, w, y;
    dnnl_dims_t x_dims = {rows, depth}, w_dims = {depth, outputs}, y_dims = {rows, outputs};
    check(dnnl_memory_desc_init_by_tag(&x, 2, x_dims, a, dnnl_ab), "shape");
    check(dnnl_memory_desc_init_by_tag(&w, 2, w_dims, b, dnnl_format_tag_any), "shape");
    check(dnnl_memory_desc_init_by_tag(&y, 2, y_dims, c, dnnl_ab), "shape");
    dnnl_matmul_desc_t product;
    check(dnnl_matmul_desc_init(&product, &x, &w, NULL, &y), "product");
    dnnl_primitive_desc_t how;
    if (dnnl_primitive_desc_create(&how, &product, NULL, engine, NULL) != dnnl_success) return 0;
    dnnl_primitive_t primitive;
    check(dnnl_primitive_create(&primitive, how), "product");
    const dnnl_memory_desc_t *stored = dnnl_primitive_desc_query_md(how, dnnl_query_weights_md, 0);
    dnnl_exec_arg_t arguments[] = {{DNNL_ARG_SRC, memory_of(&x, engine)},
                                   {DNNL_ARG_WEIGHTS, memory_of(stored, engine)},
                                   {DNNL_ARG_DST, memory_of(&y, engine)}};
    double *seconds = calloc((size_t)runs, sizeof *seconds);
    for (int run = -1; run < runs; ++run) {
        double start = now();
        check(dnnl_primitive_execute(primitive, stream, 3, arguments), "product");
        check(dnnl_stream_wait(stream), "product");
        if (run >= 0) seconds[run] = now() - start;
    }
    qsort(seconds, (size_t)runs, sizeof *seconds, by_value);
    double median = seconds[runs / 2];
    free(seconds);
    return 2.0 * (double)rows * (double)outputs * (double)depth / median * 1e-9;
}

int main(int count, char **words) {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    if (count != 5) return 2;
    dnnl_dim_t rows = atol(words[1]), outputs = atol(words[2]), depth = atol(words[3]);
    int runs = atoi(words[4]) > 0 ? atoi(words[4]) : 1;
    check(dnnl_engine_create(&engine, dnnl_cpu, 0), "engine");
    check(dnnl_stream_create(&stream, engine, dnnl_stream_default_flags), "stream");
    const struct {
        const char *name;
        dnnl_data_type_t a, b, c;
    } kinds[] = {{"f32", dnnl_f32, dnnl_f32, dnnl_f32},
                 {"bf16", dnnl_bf16, dnnl_bf16, dnnl_f32},
                 {"int8", dnnl_u8, dnnl_s8, dnnl_s32}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; ++i) {
        double speed =
            measure(engine, stream, rows, outputs, depth, kinds[i].a, kinds[i].b, kinds[i].c, runs);
        printf("%s %.0f  ", kinds[i].name, speed);
    }
    printf("\n");
    return 0;
}
