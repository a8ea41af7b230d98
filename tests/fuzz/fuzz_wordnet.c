/* WordNet's files: any bytes in place of the nouns' index, data and exceptions (in this order, with a byte 1
 * between them) give senses, forms and what lies above, or an error, and come to an end. */
#include "wordnet/wordnet.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

/* Up to the next mark, which becomes a NUL. */
static wordnet_text take(char **at) {
    char *end = *at + strcspn(*at, "\1");
    wordnet_text taken = {.bytes = *at, .count = (size_t)(end - *at)};
    *at = *end ? end + 1 : end;
    *end = '\0';
    return taken;
}

static void ask_word(const wordnet *words, const char *word) {
    hl_error error;
    wordnet_forms forms;
    wordnet_senses senses;
    wordnet_above above;
    wordnet_base_forms(words, WORDNET_NOUN, word, &forms);
    for (size_t f = 0; f < forms.count; ++f) {
        if (wordnet_find(words, WORDNET_NOUN, forms.at[f], &senses, &error) != HL_OK) continue;
        for (size_t i = 0; i < senses.count; ++i) {
            if (wordnet_climb(words, senses.at[i], &above, &error) == HL_OK && above.count < 1)
                __builtin_trap();
        }
    }
}

/* Every word of the index. */
static void ask_all(const wordnet *words, const char *index) {
    char word[WORDNET_LONGEST];
    for (int lines = 0; *index && lines < 64; ++lines) {
        size_t length = strcspn(index, " \n");
        if (length < sizeof word) {
            memcpy(word, index, length);
            word[length] = '\0';
            ask_word(words, word);
        }
        index += strcspn(index, "\n");
        index += *index == '\n';
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    char *text = malloc(count + 1), *at = text;
    if (!text) return 0;
    for (size_t i = 0; i < count; ++i) text[i] = (char)(bytes[i] ? bytes[i] : ' ');
    text[count] = '\0';
    wordnet_texts texts[WORDNET_PARTS] = {{.index = {.count = 0}}};
    texts[WORDNET_NOUN].index = take(&at);
    texts[WORDNET_NOUN].data = take(&at);
    texts[WORDNET_NOUN].exceptions = take(&at);
    wordnet *words;
    hl_error error;
    if (wordnet_of_texts(texts, &words, &error) == HL_OK) {
        static const char *const asked[] = {"dogs", "mice", "red", "old_dogs"};
        ask_all(words, texts[WORDNET_NOUN].index.bytes);
        for (size_t i = 0; i < sizeof asked / sizeof *asked; ++i) ask_word(words, asked[i]);
        wordnet_close(words);
    }
    free(text);
    return 0;
}
