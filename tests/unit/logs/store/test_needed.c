/* Whatever an expression matches has the text that is said to be needed: random expressions, random lines. */
#include <stdio.h>

#include "base/rng.h"
#include "harness.h"
#include "labels/regex.h"
#include "logs/store/needed.h"

static struct str needed(const char *re, struct arena *a)
{
    struct str text = {0};
    return regex_needed_text(str_c(re), a, &text) ? STR("?") : text;
}

TEST(plain_parts_of_expressions_are_seen)
{
    struct arena a AUTO_ARENA;
    arena_init(&a, 0, NULL);
    CHECK_STR(needed("status=5..", &a), "status=5");
    CHECK_STR(needed("user \\d+ logged in", &a), " logged in");
    CHECK_STR(needed("took [0-9]{3,} ms$", &a), "took ");
    CHECK_STR(needed("a\\.b\\.cd*", &a), "a.b.c");
    CHECK_STR(needed("timeouts?", &a), "timeout");
    CHECK_STR(needed("abc|d", &a), "");
    CHECK_STR(needed("(?i)error", &a), "");
    CHECK_STR(needed("\\x41BC", &a), "");
    CHECK_STR(needed("xy\xc3\xa9*", &a), "xy");
}

TEST(what_matches_has_the_needed_text)
{
    static const char *const pieces[] = {"a",   "b",        "0",    "1",    ",",     ".",   "*",     "+",
                                         "?",   "[ab]",     "[^a]", "{",    "}",     "|",   "(",     ")",
                                         "^",   "$",        "\\d",  "\\w",  "\\.",   "{1}", "{0,1}", "ab",
                                         "\\b", "\xc3\xa9", "]",    "[]a]", "\\x61", "\\Q", "\\E",   "-"};
    struct rng rng;
    rng_init(&rng, test_seed());
    unsigned matched = 0, told = 0;
    for (int round = 0; round < 20000; round++) {
        char re[64] = "", line[32];
        size_t n = 0, parts = 1 + rng_below(&rng, 7), len = rng_below(&rng, 12);
        for (size_t i = 0; i < parts; i++) {
            n += (size_t)snprintf(re + n, sizeof(re) - n, "%s", pieces[rng_below(&rng, ARRAY_LEN(pieces))]);
        }
        struct regex *compiled = NULL;
        if (regex_new(str_of(re, n), 0, &compiled, NULL)) {
            continue;
        }
        struct arena a AUTO_ARENA;
        arena_init(&a, 0, NULL);
        struct str text = {0};
        enum err e = regex_needed_text(str_of(re, n), &a, &text);
        bool sound = e == ERR_OK;
        for (int k = 0; sound && k < 20; k++) {
            for (size_t i = 0; i < len; i++) {
                line[i] = "ab01,.{}]-\xc3\xa9"[rng_below(&rng, 12)];
            }
            bool match = regex_match(compiled, str_of(line, len));
            matched += match;
            told += match && text.n > 0;
            sound = !match || str_find(str_of(line, len), text, 0) != STR_NPOS;
            if (!sound) {
                (void)fprintf(stderr, "/%s/ matches '%.*s' without '%.*s'\n", re, (int)len, line,
                              STR_FMT(text));
            }
        }
        regex_free(compiled);
        CHECK(sound);
    }
    CHECK(matched > 1000);
    CHECK(told > 300);
}
