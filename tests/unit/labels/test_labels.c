/* labels: sets, text, fingerprints, matchers, expressions. */
#include "base/buf.h"
#include "base/rng.h"
#include "harness.h"
#include "labels/labels.h"
#include "labels/matcher.h"

#define L(n, v) ((struct label){STR(n), STR(v)})

static struct labels view(const struct label *l, size_t n)
{
    return (struct labels){l, n};
}

TEST(normalise_sorts_drops_empty_and_refuses_duplicates)
{
    struct label l[] = {L("z", "1"), L("a", "2"), L("m", "")};
    size_t n = 3;
    CHECK_OK(labels_normalise(l, &n, NULL));
    CHECK_EQ(n, 2);
    CHECK_STR(l[0].name, "a");
    struct label twice[] = {L("a", "1"), L("a", "2")};
    size_t two = 2;
    CHECK_EQ(labels_normalise(twice, &two, NULL), ERR_INVALID);
}

TEST(text_is_prometheus_text)
{
    struct buf b AUTO_BUF = {0};
    const struct label l[] = {L("__name__", "up"), L("job", "a\"b\n"), L("x.y", "1")};
    labels_format(&b, view(l, 3));
    CHECK_STR(buf_view(&b), "up{job=\"a\\\"b\\n\", \"x.y\"=\"1\"}");
    buf_reset(&b);
    labels_format(&b, view(l, 1));
    CHECK_STR(buf_view(&b), "up");
    buf_reset(&b);
    labels_format(&b, view(l, 0));
    CHECK_STR(buf_view(&b), "{}");
}

TEST(fingerprints_by_and_without_see_only_their_labels)
{
    const struct label x[] = {L("__name__", "a"), L("i", "1"), L("job", "j")};
    const struct label y[] = {L("__name__", "b"), L("i", "2"), L("job", "j")};
    const struct str job[] = {STR("job")}, i[] = {STR("i")};
    CHECK(labels_hash(view(x, 3)) != labels_hash(view(y, 3)));
    CHECK(labels_hash_by(view(x, 3), job, 1) == labels_hash_by(view(y, 3), job, 1));
    CHECK(labels_hash_without(view(x, 3), i, 1) == labels_hash_without(view(y, 3), i, 1));
}

TEST(with_replaces_inserts_and_removes)
{
    struct arena a AUTO_ARENA;
    arena_init(&a, 0, NULL);
    const struct label l[] = {L("a", "1"), L("c", "3")};
    struct labels out;
    CHECK_OK(labels_with(&a, view(l, 2), STR("b"), STR("2"), &out));
    CHECK_EQ(out.n, 3);
    CHECK_STR(out.l[1].name, "b");
    CHECK_OK(labels_with(&a, out, STR("a"), STR(""), &out));
    CHECK_EQ(out.n, 2);
    CHECK_OK(labels_with(&a, out, STR("c"), STR("9"), &out));
    CHECK_STR(labels_get(out, STR("c")), "9");
}

static bool matches(enum matcher_op op, const char *pattern, const char *value)
{
    struct matcher m;
    if (matcher_init(&m, op, STR("l"), str_c(pattern), NULL) != ERR_OK) {
        return false;
    }
    bool yes = matcher_matches(&m, str_c(value));
    matcher_done(&m);
    return yes;
}

TEST(matchers_are_anchored_and_see_newlines)
{
    CHECK(matches(MATCH_RE, "a.c", "a\nc"));
    CHECK(!matches(MATCH_RE, "a.c", "xabc"));
    CHECK(matches(MATCH_RE, "foo|bar", "bar"));
    CHECK(!matches(MATCH_RE, "foo|bar", "barx"));
    CHECK(matches(MATCH_RE, "(?:foo|bar)", "foo"));
    CHECK(matches(MATCH_RE, "ab*", "a"));
    CHECK(matches(MATCH_RE, "", ""));
    CHECK(matches(MATCH_NRE, ".+", ""));
    CHECK(!matches(MATCH_RE, "foo|", "x"));
    CHECK(matches(MATCH_RE, "foo|", ""));
}

TEST(bad_expressions_speak_like_go)
{
    struct err_info info;
    struct regex *re;
    CHECK_EQ(regex_new(STR("a("), REGEX_ANCHORED, &re, &info), ERR_INVALID);
    CHECK_STR(str_c(info.message), "error parsing regexp: missing closing ): `a(`");
    CHECK_EQ(regex_new(STR("a**"), REGEX_ANCHORED, &re, &info), ERR_INVALID);
    CHECK_STR(str_c(info.message), "error parsing regexp: invalid nested repetition operator: `**`");
}

TEST(groups_may_be_named_without_a_p)
{
    struct regex *re;
    struct str c[3];
    CHECK_OK(regex_new(STR("[(?<]\\(?(?<k>[a-z]+)"), 0, &re, NULL));
    CHECK(regex_find(re, STR("<(ab"), 0, c, 2));
    CHECK_STR(c[1], "ab");
    CHECK_STR(regex_group_name(re, 1), "k");
    regex_free(re);
}

/* Expressions that need no automaton match as the same ones do that get one. */
TEST(simple_expressions_match_as_all_do)
{
    static const char *const patterns[] = {"node_(load1|load5|)",
                                           "(a|b)c",
                                           "x(?:1|22)y",
                                           "()",
                                           "a(b)",
                                           "(a|b)*",
                                           "a|b(c|d)",
                                           "(a)(b)",
                                           "((a|b))",
                                           "node_.*",
                                           "node_.+",
                                           ".*",
                                           ".+",
                                           "a*.*",
                                           "a.*|b",
                                           "a+.*",
                                           "\u00e9?.*",
                                           "\\..*"};
    static const char *const texts[] = {"",      "a",          "b",          "ac",          "bc",        "ab",
                                        "abab",  "bd",         "c",          "x1y",         "x22y",      "xy",
                                        "node_", "node_load1", "node_load5", "node_load15", "node_x\ny", "\n",
                                        ".z",    "\u00e9",     "aa"};
    for (size_t i = 0; i < ARRAY_LEN(patterns); i++) {
        struct buf long_form AUTO_BUF = {0};
        struct regex *simple = NULL, *whole = NULL;
        buf_printf(&long_form, "(?:%s)(?:)", patterns[i]);
        CHECK_OK(regex_new(str_c(patterns[i]), REGEX_ANCHORED, &simple, NULL));
        CHECK_OK(regex_new(buf_view(&long_form), REGEX_ANCHORED, &whole, NULL));
        for (size_t k = 0; k < ARRAY_LEN(texts); k++) {
            CHECK_EQ(regex_match(simple, str_c(texts[k])), regex_match(whole, str_c(texts[k])));
        }
        regex_free(simple);
        regex_free(whole);
    }
    struct regex *re = NULL;
    CHECK_OK(regex_new(STR("node_(load1|load5)_total"), REGEX_ANCHORED, &re, NULL));
    CHECK_EQ(regex_literal_count(re), 2);
    CHECK_STR(regex_literal(re, 1), "node_load5_total");
    regex_free(re);
}

TEST(captures_are_found_by_number_and_name)
{
    struct regex *re;
    struct str c[3];
    CHECK_OK(regex_new(STR("(?P<k>[a-z]+)=(\\d+)?"), 0, &re, NULL));
    CHECK(regex_find(re, STR("-- ab= --"), 0, c, 3));
    CHECK_STR(c[1], "ab");
    CHECK(c[2].p == NULL);
    CHECK_STR(regex_group_name(re, 1), "k");
    regex_free(re);
}

/* Texts that stand in for the automaton are compared with it: regex_find has no short cuts. */
TEST(short_cuts_of_expressions_say_what_the_automaton_says)
{
    static const char *const parts[] = {"a",    "b",        "ab",   "é",   ".*",   ".+",     ".",
                                        "[ab]", "[^a]",     "[]a]", "a*",  "b+",   "é?",     "\\.",
                                        "\\-",  ".*?",      "a{2}", "\\d", "^",    "$",      "|",
                                        "(a)",  "(?:b|ab)", "\n",   "x-1", "beef", "[a-c]+", "a\\*"};
    static const char *const texts[] = {"a", "b", "ab", "é", ".", "-", "x-1", "beef", "1", "\n", "*", "c"};
    struct rng r;
    size_t matched = 0, tried = 0;
    rng_init(&r, test_seed());
    for (int i = 0; i < 4000; i++) {
        struct buf pattern AUTO_BUF = {0};
        struct regex *re = NULL;
        for (uint64_t k = rng_below(&r, 5) + 1; k > 0; k--) {
            buf_c(&pattern, parts[rng_below(&r, ARRAY_LEN(parts))]);
        }
        if (regex_new(buf_view(&pattern), REGEX_ANCHORED, &re, NULL) != ERR_OK) {
            continue;
        }
        for (int t = 0; t < 30; t++) {
            struct buf text AUTO_BUF = {0};
            struct str whole;
            for (uint64_t k = rng_below(&r, 6); k > 0; k--) {
                buf_c(&text, texts[rng_below(&r, ARRAY_LEN(texts))]);
            }
            bool is = regex_match(re, buf_view(&text));
            if (is != regex_find(re, buf_view(&text), 0, &whole, 1)) {
                buf_char(&pattern, 0);
                test_fail(__FILE__, __LINE__, pattern.p ? pattern.p : "");
            }
            matched += is;
            tried++;
        }
        regex_free(re);
    }
    CHECK(tried > 50000 && matched > 1000);
}
