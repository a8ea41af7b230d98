#include "tests/outside.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int open_workshop(void **state) {
    static workshop shop;
    unsetenv("HEADLIGHT_PLUGIN_PATH");
    shop.folder = make_folder();
    shop.prefix = text("%s/prefix", shop.folder);
    shop.command = text("%s/bin/headlight", shop.prefix);
    RUN("cmake", "--install", TEST_BUILD, "--prefix", shop.prefix);
    *state = &shop;
    return 0;
}

int close_workshop(void **state) {
    workshop *shop = *state;
    free(shop->command);
    free(shop->prefix);
    remove_folder(shop->folder);
    return 0;
}

void run_or_fail(const char *const *words) {
    char *printed, *errors;
    int status = run_program(words, &printed, &errors);
    if (status != 0) fail_msg("%s %s: status %d\n%s%s", words[0], words[1], status, printed, errors);
    free(printed);
    free(errors);
}

char *readme_block(const char *language, int number) {
    char *readme = read_file(TEST_SOURCE "/plugins/README.md", NULL), *fence = text("\n```%s\n", language);
    char *begin = readme;
    for (int i = 0; i <= number; ++i) {
        begin = strstr(begin, fence);
        assert_non_null(begin);
        begin += strlen(fence);
    }
    char *end = strstr(begin, "\n```");
    assert_non_null(end);
    char *block = text("%.*s\n", (int)(end - begin), begin);
    free(fence);
    free(readme);
    return block;
}

void write_block(const workshop *shop, const char *language, int number, const char *name) {
    char *block = readme_block(language, number), *path = text("%s/%s", shop->folder, name);
    write_text(path, block);
    free(block);
    free(path);
}

size_t count_lines(const char *lines) {
    size_t count = 0;
    for (; (lines = strchr(lines, '\n')); ++lines) ++count;
    return count;
}

void build_by_hand(const workshop *shop, const char *name) {
    write_block(shop, "sh", 0, "by-hand.sh");
    char *script = text("set -e\ncd '%s'\nmkdir -p by-hand\nsed -i 's/head-norms/%s/g' by-hand.sh\n"
                        "export PKG_CONFIG_PATH=$(realpath $(dirname $(find prefix -name headlight.pc)))\n"
                        "sh -e by-hand.sh\nmv %s.so by-hand",
                        shop->folder, name, name);
    RUN("sh", "-c", script);
    free(script);
}
