/* Containers of weights: what PyTorch wrote, forms that are rare, and what is broken or means harm. */
#include "tests/support.h"

#include "core/weights/weights.h"
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define CONTAINERS TEST_GOLDEN "/containers"
#define PLAIN      TEST_GOLDEN "/tiny-a/model/open_clip_model.safetensors"

static hl_weights *open_path(const char *path) {
    hl_weights *weights;
    hl_error error;
    assert_ok(weights_api.open(path, &weights, &error), error);
    return weights;
}

static float *read_all(const hl_weights *weights, const hl_stored_tensor *tensor) {
    hl_error error;
    float *out = malloc((size_t)tensor->elements * sizeof *out + 1);
    assert_non_null(out);
    assert_ok(weights_api.read(weights, tensor, 0, tensor->elements, out, &error), error);
    weights_api.done(weights, tensor);
    return out;
}

static size_t count_tensors(const hl_weights *weights) {
    size_t count = 0;
    while (weights_api.at(weights, count)) ++count;
    return count;
}

/* ---- what PyTorch wrote ---- */

/* f16 has 11 bits. */
static void need_same(const float *expected, const float *got, size_t count, bool rounded, const char *name) {
    for (size_t i = 0; i < count; ++i) {
        double apart = (double)got[i] - (double)expected[i], most = rounded ? 1e-3 : 0;
        bool same = apart <= most && apart >= -most;
        if (!same) fail_msg("%s[%zu]: %.9g, expected %.9g", name, i, (double)got[i], (double)expected[i]);
    }
}

/* Every tensor of the plain file is there under `before` and its name, with the same numbers. */
static void need_tensors_of_plain_file(const char *path, const char *before, bool rounded, size_t more) {
    hl_weights *plain = open_path(PLAIN), *weights = open_path(path);
    size_t count = 0;
    for (const hl_stored_tensor *expected; (expected = weights_api.at(plain, count)); ++count) {
        char *name = text("%s%s", before, expected->name);
        const hl_stored_tensor *got = weights_api.find(weights, name);
        if (!got) fail_msg("%s: no %s", path, name);
        assert_int_equal(got->rank, expected->rank);
        assert_memory_equal(got->shape, expected->shape, got->rank * sizeof *got->shape);
        float *a = read_all(plain, expected), *b = read_all(weights, got);
        need_same(a, b, (size_t)expected->elements, rounded, name);
        free(a);
        free(b);
        free(name);
    }
    assert_int_equal(count_tensors(weights), count + more);
    weights_api.close(plain);
    weights_api.close(weights);
}

static void what_pytorch_wrote_holds_the_same_numbers(void **state) {
    (void)state;
    need_tensors_of_plain_file(CONTAINERS "/legacy.bin", "", false, 0);
    need_tensors_of_plain_file(CONTAINERS "/training.pt", "module.", false, 0);
    need_tensors_of_plain_file(CONTAINERS "/torchscript.pt", "", true, 3);
}

/* Parts of tensors, also of such as do not lie row after row. */
static void parts_are_those_of_the_whole(void **state) {
    (void)state;
    static const char *const paths[] = {CONTAINERS "/legacy.bin", CONTAINERS "/training.pt",
                                        CONTAINERS "/good/views.pt"};
    for (size_t i = 0; i < COUNT(paths); ++i) {
        hl_weights *weights = open_path(paths[i]);
        const hl_stored_tensor *tensor;
        for (size_t k = 0; (tensor = weights_api.at(weights, k)); ++k) {
            float *whole = read_all(weights, tensor), part[7];
            hl_error error;
            for (uint64_t first = 0; first < tensor->elements; first += 1 + tensor->elements / 40) {
                uint64_t left = tensor->elements - first, count = left < 7 ? left : 7;
                assert_ok(weights_api.read(weights, tensor, first, count, part, &error), error);
                need_same(whole + first, part, (size_t)count, false, tensor->name);
            }
            assert_int_equal(weights_api.read(weights, tensor, tensor->elements, 1, part, &error), HL_FAILED);
            free(whole);
        }
        weights_api.close(weights);
    }
}

static void shards_are_one_table(void **state) {
    (void)state;
    static const char *const names[][2] = {
        {"visual.class_embedding", "vision_model.embeddings.class_embedding"},
        {"token_embedding.weight", "text_model.embeddings.token_embedding.weight"},
        {"logit_scale", "logit_scale"}};
    hl_weights *plain = open_path(PLAIN),
               *weights = open_path(CONTAINERS "/sharded/model.safetensors.index.json");
    assert_int_equal(count_tensors(weights), 94);
    for (size_t i = 0; i < COUNT(names); ++i) {
        const hl_stored_tensor *expected = weights_api.find(plain, names[i][0]);
        float *a = read_all(plain, expected), *b = read_all(weights, weights_api.find(weights, names[i][1]));
        need_same(a, b, (size_t)expected->elements, false, names[i][1]);
        free(a);
        free(b);
    }
    char digest[33], again[33];
    hl_error error;
    assert_ok(weights_api.digest(weights, digest, &error), error);
    assert_ok(weights_api.digest(plain, again, &error), error);
    assert_int_equal(strlen(digest), 32);
    assert_string_not_equal(digest, again);
    weights_api.close(plain);
    weights_api.close(weights);
}

/* ---- rare forms ---- */

typedef struct expectation {
    const char *file, *name, *type;
    uint32_t rank;
    uint64_t shape[3];
    const char *numbers; /* those of 0, 1, 2 ... by four that are expected, one digit of base 36 each */
} expectation;

static const expectation GOOD[] = {
    {"flat.pt", "a", "float32", 2, {2, 3}, "012345"},
    {"views.pt", "transposed", "float32", 2, {3, 2}, "142536"},
    {"views.pt", "every-second", "float32", 2, {2, 3}, "048cgk"},
    {"views.pt", "one", "float32", 0, {0}, "n"},
    {"views.pt", "turned", "float32", 3, {2, 2, 3}, "246egi357fhj"},
    {"views.pt", "side-of-one", "float32", 2, {1, 3}, "456"},
    {"views.pt", "empty", "float32", 2, {0, 3}, ""},
    {"kinds.pt", "half", "float16", 2, {2, 3}, "012345"},
    {"kinds.pt", "double", "float64", 2, {2, 3}, "012345"},
    {"kinds.pt", "bfloat", "bfloat16", 2, {2, 3}, "012345"},
    {"kinds.pt", "long", "int64", 2, {2, 3}, NULL},
    {"kinds.pt", "int", "int32", 2, {2, 3}, NULL},
    {"kinds.pt", "byte", "uint8", 2, {2, 3}, NULL},
    {"kinds.pt", "bool", "bool", 2, {2, 3}, NULL},
    {"kinds.pt", "short", "int16", 2, {2, 3}, NULL},
    {"kinds.pt", "char", "int8", 2, {2, 3}, NULL},
    {"kinds.pt", "complex", "complex64", 2, {2, 3}, NULL},
    {"protocol-3.pt", "a", "float32", 2, {2, 3}, "012345"},
    {"protocol-4.pt", "a", "float32", 2, {2, 3}, "012345"},
    {"protocol-5.pt", "a", "float32", 2, {2, 3}, "012345"},
    {"parameters.pt", "a", "float32", 2, {2, 3}, "012345"},
    {"parameters.pt", "b", "float32", 2, {2, 3}, "012345"},
    {"parameters.pt", "c", "float32", 2, {2, 3}, "012345"},
    {"training.pt", "module.a", "float32", 2, {2, 3}, "012345"},
    {"training.pt", "module.b", "float32", 2, {2, 3}, "012345"},
    {"nested.pth", "a", "float32", 2, {2, 3}, "012345"},
    {"script.pt", "a", "float32", 2, {2, 3}, "012345"},
    {"script.pt", "inside.0.weight", "float32", 2, {2, 3}, "012345"},
    {"packed-list.pt", "a", "float32", 2, {2, 3}, "012345"},
    {"little.pt", "a", "float32", 2, {2, 3}, "012345"},
    {"old.bin", "a", "float32", 2, {2, 3}, "012345"},
    {"old.bin", "b", "float32", 2, {2, 3}, "68a79b"},
    {"old-nested.bin", "a", "float32", 2, {2, 3}, "012345"},
};

static void need(const hl_weights *weights, const expectation *expected) {
    const hl_stored_tensor *got = weights_api.find(weights, expected->name);
    if (!got) fail_msg("%s: no %s", expected->file, expected->name);
    assert_string_equal(got->type, expected->type);
    assert_int_equal(got->rank, expected->rank);
    assert_memory_equal(got->shape, expected->shape, got->rank * sizeof *got->shape);
    if (!expected->numbers) {
        float number;
        hl_error error;
        assert_int_equal(weights_api.read(weights, got, 0, 1, &number, &error), HL_FAILED);
        assert_non_null(strstr(error.message, expected->name));
        return;
    }
    assert_int_equal(got->elements, strlen(expected->numbers));
    float *numbers = read_all(weights, got);
    for (size_t i = 0; i < got->elements; ++i) {
        char c = expected->numbers[i];
        int by_four = c > '9' ? c - 'a' + 10 : c - '0';
        if ((double)numbers[i] != by_four / 4.0) fail_msg("%s: %s[%zu]", expected->file, expected->name, i);
    }
    free(numbers);
}

static void rare_forms_are_read(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(GOOD);) {
        char *path = text(CONTAINERS "/good/%s", GOOD[i].file);
        hl_weights *weights = open_path(path);
        size_t count = 0;
        for (const char *file = GOOD[i].file; i < COUNT(GOOD) && strcmp(file, GOOD[i].file) == 0;
             ++i, ++count)
            need(weights, &GOOD[i]);
        if (count_tensors(weights) != count) fail_msg("%s: %zu tensors", path, count_tensors(weights));
        weights_api.close(weights);
        free(path);
    }
}

/* ---- what is broken or means harm ---- */

static const struct {
    const char *file, *says;
} BAD[] = {
    {"absolute.pt", "its entry /tmp/harm has a name that leads outside the archive"},
    {"aliasing-partly.pt", "tensor a: several of its numbers lie at one place (its strides alias)"},
    {"aliasing.pt", "tensor a: several of its numbers lie at one place (its strides alias)"},
    {"backslash.pt", "its entry archive\\..\\harm has a name that leads outside the archive"},
    {"below-a-mark.pt", "of its pickle it takes what is not there"},
    {"beyond-storage.pt", "tensor a: it is larger than its storage"},
    {"bomb.pt", "its entry archive/code/x.py would unpack to more than 200 times its size (a zip bomb)"},
    {"call-of-no-name.pt", "of its pickle it calls what is no function"},
    {"code-4.pt", "asks for builtins.eval, which is no tensor but code"},
    {"code-of-torch.pt", "asks for torch.storage._load_from_bytes, which is no tensor but code"},
    {"code.pt", "asks for posix.system, which is no tensor but code"},
    {"cut-in-half.pt", "its directory is not at its end (a download that was cut off?)"},
    {"cut.pt", "its directory is not at its end (a download that was cut off?)"},
    {"deep.pt", "is nested too deeply, as no list of tensors does"},
    {"doubled.pt", "holds the same things again and again, as no list of tensors does"},
    {"drive.pt", "its entry C:/harm has a name that leads outside the archive"},
    {"empty-stack.pt", "of its pickle it takes what is not there"},
    {"encrypted.pt", "its entry archive/data/0 is encrypted"},
    {"entry-beyond-the-end.pt", "the directory and the header of an entry disagree"},
    {"extension.pt", "of its pickle is the instruction 0x82"},
    {"few-arguments.pt", "tensor a: its shape is no list"},
    {"few-strides.pt", "tensor a: it has more or fewer strides than sides"},
    {"high-byte-first.pt", "its numbers are stored high byte first, by a machine of another kind"},
    {"inside-another.pt", "its entry archive/version overlaps another one"},
    {"inst.pt", "of its pickle is the instruction 0x69"},
    {"itself-in-a-list.pt", "a.0 holds itself, as no list of tensors does"},
    {"itself.pt", "a holds itself, as no list of tensors does"},
    {"large-list.pt", "its entry archive/data.pkl would unpack to more than 200 times its size (a zip bomb)"},
    {"larger-than-storage.pt", "tensor a: it is larger than its storage"},
    {"larger-than-the-file.pt", "the directory and the header of an entry disagree"},
    {"long-entry-name.pt", "has too long a name"},
    {"long-name.pt", "has too long a name, as no list of tensors does"},
    {"long-number.pt", "of its pickle a number is too long"},
    {"long-text.pt", "of its pickle a text is longer than all"},
    {"longer-text.pt", "of its pickle a text is longer than all"},
    {"many-entries.pt", "its directory cannot be read"},
    {"many-sides.pt", "tensor a: it has more than 8 sides, more than any model's"},
    {"missing-entry.pt", "there is no entry archive/data/0, which a tensor needs"},
    {"negative-offset.pt", "tensor a: its offset is no number"},
    {"negative-side.pt", "tensor a: its shape holds something else than non-negative integers"},
    {"negative-stride.pt", "tensor a: its shape holds something else than non-negative integers"},
    {"never-ends.pt", "of its pickle it ends too early"},
    {"never-remembered.pt", "of its pickle it recalls what it never remembered"},
    {"no-arguments.pt", "tensor a: its shape is no list"},
    {"no-entries.pt", "a zip archive of 0 entries, expected 1 to 65536"},
    {"no-mark.pt", "of its pickle it takes what is not there"},
    {"no-pickle.pt", "is a zip archive without a data.pkl, so none that PyTorch wrote"},
    {"no-tensors.pt", "holds no tensors with names"},
    {"nul-in-a-name.pt", "its pickle has a name with a NUL in it, as no list of tensors does"},
    {"odd-pairs.pt", "of its pickle it adds to what is no list and no dict"},
    {"old-aliasing.bin", "tensor a: several of its numbers lie at one place (its strides alias)"},
    {"old-code.bin", "asks for os.system, which is no tensor but code"},
    {"old-cut-early.bin", "of its pickle it ends too early"},
    {"old-cut.bin", "ends before its storages do"},
    {"old-high-byte-first.bin", "its numbers are stored high byte first, by a machine of another kind"},
    {"old-huge-count.bin", "ends before its storages do"},
    {"old-key-twice.bin", "lists a storage that no tensor has, or one twice"},
    {"old-keys-of-numbers.bin", "lists a storage that no tensor has, or one twice"},
    {"old-lacks-key.bin", "lacks a storage that a tensor needs"},
    {"old-more-bytes.bin", "holds bytes behind its last storage"},
    {"old-negative-count.bin", "a storage has another size than its tensors say"},
    {"old-other-count.bin", "a storage has another size than its tensors say"},
    {"old-part.bin", "of a tensor its storage is a part of a smaller one"},
    {"old-short.bin", "ends before its storages do"},
    {"old-strange-key.bin", "lists a storage that no tensor has, or one twice"},
    {"old-two-kinds.bin", "a storage is spoken of with two sizes"},
    {"old-two-sizes.bin", "a storage is spoken of with two sizes"},
    {"old-version.bin", "is of a version of PyTorch's older format that there is none of"},
    {"one-tensor.pt", "holds no tensors with names"},
    {"other-zip.pt", "is a zip archive without a data.pkl, so none that PyTorch wrote"},
    {"overflowing-offset.pt", "tensor a: it is larger than its storage"},
    {"overflowing-reach.pt", "tensor a: its strides are too large"},
    {"overflowing-shape-of-nothing.pt", "tensor a: its shape is too large"},
    {"overflowing-shape.pt", "tensor a: its shape is too large"},
    {"overflowing-storage.pt", "tensor a: its storage is larger than what the file holds of it"},
    {"overflowing-strides.pt", "tensor a: it is larger than its storage"},
    {"overlapping.pt", "the directory and the header of an entry disagree"},
    {"packed-tensor.pt", "its entry archive/data/0 is compressed, where PyTorch stores tensors as they are"},
    {"parent-folder-first.pt", "its entry ../harm has a name that leads outside the archive"},
    {"parent-folder.pt", "its entry archive/../../harm has a name that leads outside the archive"},
    {"pickle-bomb.pt",
     "its entry archive/data.pkl would unpack to more than 200 times its size (a zip bomb)"},
    {"protocol-0.pt", "archive/data.pkl: is a pickle of protocol 0, expected 2 to 5"},
    {"remembers-far.pt", "of its pickle it remembers too much"},
    {"same-name-by-nesting.pt", "tensor a.b: its name comes twice"},
    {"same-name-twice.pt", "tensor a: its name comes twice"},
    {"storage-larger-than-entry.pt", "tensor a: its storage is larger than what the file holds of it"},
    {"too-many-values.pt", "archive/data.pkl: holds more than 1048576 values, which no list of tensors does"},
    {"twice-in-the-directory.pt", "its entry archive/data/0 overlaps another one"},
    {"two-sizes.pt", "its entry archive/data/0 is not compressed and yet has two sizes"},
    {"two-values.pt", "of its pickle it ends with more than one value"},
    {"unknown-storage.pt", "tensor a: its storage is none"},
    {"whole-model.pt", "asks for open_clip.model.CLIP, which is no tensor but code"},
    {"wrong-sum.pt", "its entry archive/data.pkl is damaged"},
};

/* In one line that begins with the path. */
static void need_refusal(const char *path, const char *says) {
    hl_weights *weights;
    hl_error error = {""};
    hl_status status = weights_api.open(path, &weights, &error);
    if (status != HL_FAILED || !strstr(error.message, says)) {
        fail_msg("%s: status %d: %s\nexpected: %s", path, status, error.message, says);
    }
    assert_null(weights);
    assert_ptr_equal(strstr(error.message, path), error.message);
    assert_null(strchr(error.message, '\n'));
}

static void bad_files_are_refused(void **state) {
    (void)state;
    assert_int_equal(count_files(CONTAINERS "/bad"), COUNT(BAD));
    for (size_t i = 0; i < COUNT(BAD); ++i) {
        char *path = text(CONTAINERS "/bad/%s", BAD[i].file);
        need_refusal(path, BAD[i].says);
        free(path);
    }
}

/* A file that was cut anywhere, from memory that a sanitizer watches. */
static void cut_files_are_refused(void **state) {
    (void)state;
    static const char *const files[] = {"flat.pt", "old.bin", "training.pt", "script.pt"};
    for (size_t i = 0; i < COUNT(files); ++i) {
        char *path = text(CONTAINERS "/good/%s", files[i]);
        size_t count;
        char *bytes = read_file(path, &count);
        for (size_t cut = 0; cut < count; ++cut) {
            uint8_t *copy = malloc(cut + !cut);
            assert_non_null(copy);
            memcpy(copy, bytes, cut);
            hl_weights *weights;
            hl_error error = {""};
            if (weights_parse("x", copy, cut, &weights, &error) == HL_OK)
                fail_msg("%s cut at %zu", path, cut);
            assert_non_null(strstr(error.message, "x: "));
            free(copy);
        }
        free(bytes);
        free(path);
    }
}

/* Whatever one byte becomes: refused, or read without harm. */
static void changed_files_do_no_harm(void **state) {
    (void)state;
    static const char *const files[] = {"flat.pt", "old.bin", "protocol-4.pt"};
    for (size_t i = 0; i < COUNT(files); ++i) {
        char *path = text(CONTAINERS "/good/%s", files[i]);
        size_t count;
        uint8_t *bytes = (uint8_t *)read_file(path, &count);
        for (size_t at = 0; at < count; ++at) {
            for (int bit = 0; bit < 8; bit += 1 + (int)(at % 3)) {
                hl_weights *weights;
                hl_error error;
                bytes[at] ^= (uint8_t)(1U << bit);
                if (weights_parse("x", bytes, count, &weights, &error) == HL_OK) {
                    const hl_stored_tensor *tensor;
                    for (size_t k = 0; (tensor = weights_api.at(weights, k)); ++k) {
                        assert_true(tensor->elements <= count);
                        if (tensor->dtype <= HL_F64) free(read_all(weights, tensor));
                    }
                    weights_api.close(weights);
                }
                bytes[at] ^= (uint8_t)(1U << bit);
            }
        }
        free(bytes);
        free(path);
    }
}

/* ---- indices ---- */

#define SHARD "model-00002-of-00003.safetensors"

static void broken_indices_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *index, *says;
    } cases[] = {
        {"{}", "lists no shards"},
        {"{\"weight_map\": {}}", "lists no shards"},
        {"{\"weight_map\": []}", "lists no shards"},
        {"{\"weight_map\": {\"a\": 3}}", "a shard's name is missing, or leads to another folder"},
        {"{\"weight_map\": {\"a\": \"../" SHARD "\"}}", "leads to another folder"},
        {"{\"weight_map\": {\"a\": \"/" SHARD "\"}}", "leads to another folder"},
        {"{\"weight_map\": {\"a\": \"..\"}}", "leads to another folder"},
        {"{\"weight_map\": {\"a\": \"\"}}", "leads to another folder"},
        {"{\"weight_map\": {\"a\": \"none.safetensors\"}}",
         "lists the shard none.safetensors, which is not there: download all of them"},
        {"{\"weight_map\": {\"a\": \"" SHARD "\"}}",
         "the tensor a is not in " SHARD ", where the index has it"},
        {"{\"weight_map\": {\"a\": \"model.safetensors.index.json\"}}", "is a list itself"},
        {"{\"weight_map\": {\"a\": \"cut.safetensors\"}}", "cut.safetensors: "},
        {"{\"weight_map\": {\"a\": \"text.bin\"}}", "text.bin: is no file of weights"},
        {"{\"weight_map\": {\"text_model.embeddings.token_embedding.weight\": \"" SHARD
         "\", \"b\": \"copy.bin\"}}",
         "its name comes twice"},
        {"{\"weight_map\": ", "no valid JSON"},
        {"{\"weight_map\": {\"a\\u0000\": \"" SHARD "\"}}", "NUL"},
    };
    char *folder = make_folder(), *path = text("%s/model.safetensors.index.json", folder),
         *shard = text("%s/" SHARD, folder), *copy = text("%s/copy.bin", folder),
         *cut = text("%s/cut.safetensors", folder), *other = text("%s/text.bin", folder);
    copy_file(CONTAINERS "/sharded/" SHARD, shard);
    copy_file(CONTAINERS "/sharded/" SHARD, copy);
    write_text(cut, "12345678{");
    write_text(other, "text");
    for (size_t i = 0; i < COUNT(cases); ++i) {
        hl_weights *weights;
        hl_error error = {""};
        write_text(path, cases[i].index);
        assert_int_equal(weights_api.open(path, &weights, &error), HL_FAILED);
        assert_null(weights);
        if (!strstr(error.message, cases[i].says)) fail_msg("%s: %s", cases[i].index, error.message);
        assert_ptr_equal(strstr(error.message, folder), error.message);
    }
    write_text(path, "{\"weight_map\": {\"text_model.embeddings.token_embedding.weight\": \"" SHARD "\"}}");
    weights_api.close(open_path(path));
    free(path);
    free(shard);
    free(copy);
    free(cut);
    free(other);
    remove_folder(folder);
}

/* ---- what people take for weights ---- */

static void other_files_are_named(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t count;
        const char *says;
    } cases[] = {
        {"version https://git-lfs.github.com/spec/v1\noid sha256:x\n", 50, "git lfs pull"},
        {"<!DOCTYPE html>", 15, "download it again"},
        {"<?xml version", 13, "download it again"},
        {"\x1f\x8b\x08\0", 4, "unpack it first"},
        {"GGUF\3\0\0\0", 8, "GGUF"},
        {"\x89HDF\r\n", 6, "HDF5"},
        {"\x93NUMPY\1\0", 8, "numpy"},
        {"\x80\2}q\0.", 6, "is a pickle, but none that torch.save wrote"},
        {"hello, world", 12, "is no file of weights: expected .safetensors"},
        {"", 0, "is no file of weights"},
        {"PK", 2, "is no file of weights"},
        {"PK\3\4", 4, "zip archive is damaged"},
    };
    char *folder = make_folder(), *path = text("%s/weights.pt", folder);
    for (size_t i = 0; i < COUNT(cases); ++i) {
        write_file(path, cases[i].bytes, cases[i].count);
        need_refusal(path, cases[i].says);
    }
    free(path);
    remove_folder(folder);
}

/* Its content counts and not its name. */
static void names_of_files_do_not_matter(void **state) {
    (void)state;
    static const char *const files[][2] = {{PLAIN, "weights.pt"},
                                           {CONTAINERS "/legacy.bin", "x.safetensors"},
                                           {CONTAINERS "/training.pt", "model.safetensors"},
                                           {CONTAINERS "/torchscript.pt", "no-ending"}};
    char *folder = make_folder();
    for (size_t i = 0; i < COUNT(files); ++i) {
        char *path = text("%s/%s", folder, files[i][1]);
        copy_file(files[i][0], path);
        hl_weights *weights = open_path(path);
        assert_true(count_tensors(weights) >= 74);
        weights_api.close(weights);
        free(path);
    }
    remove_folder(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_pytorch_wrote_holds_the_same_numbers),
        cmocka_unit_test(parts_are_those_of_the_whole),
        cmocka_unit_test(shards_are_one_table),
        cmocka_unit_test(rare_forms_are_read),
        cmocka_unit_test(bad_files_are_refused),
        cmocka_unit_test(cut_files_are_refused),
        cmocka_unit_test(changed_files_do_no_harm),
        cmocka_unit_test(broken_indices_are_refused),
        cmocka_unit_test(other_files_are_named),
        cmocka_unit_test(names_of_files_do_not_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
