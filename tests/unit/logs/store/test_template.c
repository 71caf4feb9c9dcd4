/* Templates give back every byte, and find what a plain search finds: lines of many kinds, with zero bytes,
 * line feeds, bytes above 0x7f and none at all; needles cut anywhere out of lines. */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/rng.h"
#include "harness.h"
#include "logs/store/grams.h"
#include "logs/store/text.h"

enum {
    ROWS_MAX = 1200,
    LINE_MAX = 400
};

struct lines {
    char text[ROWS_MAX * LINE_MAX];
    uint32_t offsets[ROWS_MAX + 1];
    uint64_t lengths[ROWS_MAX];
    uint32_t n;
};

static size_t line_of_kind(struct rng *rng, unsigned kind, unsigned i, char *dst)
{
    static const char *const levels[] = {"INFO", "WARN", "ERROR"};
    unsigned a = (unsigned)rng_below(rng, 100000), b = (unsigned)rng_below(rng, 7);
    unsigned long long id = rng_u64(rng);
    int n = 0;
    switch (kind) {
    case 0:
        n = snprintf(dst, LINE_MAX, "2024-01-02 03:%02u:%02u - app - %s - user %u took %ums", i / 60 % 60,
                     i % 60, levels[a % 3], a, b * 131);
        break;
    case 1:
        n = snprintf(dst, LINE_MAX, "{\"id\":\"%016llx\",\"n\":%u,\"ok\":%s,\"host\":\"web-%u\"}", id, a,
                     b ? "true" : "false", b);
        break;
    case 2:
        n = snprintf(dst, LINE_MAX, "x%uy z%ux 00%u %s\xc3\xa9\n", b, b, a % 10, levels[b % 3]);
        break;
    case 3: /* any bytes */
        n = (int)rng_below(rng, 60);
        for (int k = 0; k < n; k++) {
            dst[k] = (char)rng_below(rng, 256);
        }
        break;
    case 4: /* few different bytes */
        n = (int)rng_below(rng, 30);
        for (int k = 0; k < n; k++) {
            dst[k] = "a0 b1"[rng_below(rng, 5)];
        }
        break;
    case 5:
        n = snprintf(dst, LINE_MAX, "%llu %u %08x %s", id, 12345678u + i, a, b ? "" : "0");
        break;
    default:
        break;
    }
    return (size_t)n;
}

static void make_lines(struct rng *rng, struct lines *l)
{
    unsigned kinds = (unsigned)rng_below(rng, 127) + 1;
    l->n = 1 + (uint32_t)rng_below(rng, rng_below(rng, 4) ? 200 : ROWS_MAX - 1);
    uint32_t at = 0;
    for (uint32_t i = 0; i < l->n; i++) {
        unsigned kind;
        do {
            kind = (unsigned)rng_below(rng, 7);
        } while (!(kinds >> kind & 1));
        l->offsets[i] = at;
        l->lengths[i] = line_of_kind(rng, kind, i, l->text + at);
        at += (uint32_t)l->lengths[i];
    }
    l->offsets[l->n] = at;
}

static struct str line_at(const struct lines *l, uint32_t i)
{
    return str_of(l->text + l->offsets[i], l->offsets[i + 1] - l->offsets[i]);
}

static struct str random_needle(struct rng *rng, const struct lines *l, char *own)
{
    static const char *const fixed[] = {"ERROR",  "user 1", "1",     "0",        "ms",
                                        "\"n\":", " - ",    "web-3", "deadbeef", ""};
    struct str line = line_at(l, (uint32_t)rng_below(rng, l->n));
    if (rng_below(rng, 4) == 0 || line.n == 0) {
        return str_c(fixed[rng_below(rng, ARRAY_LEN(fixed))]);
    }
    size_t from = rng_below(rng, line.n), n = 1 + rng_below(rng, line.n - from);
    n = n > 12 && rng_below(rng, 3) ? 12 : n;
    memcpy(own, line.p + from, n);
    if (rng_below(rng, 5) == 0) {
        own[rng_below(rng, n)] ^= 1;
    }
    return str_of(own, n);
}

/* A page that was opened as readers do. */
static enum err open_page(struct text_page *t, const struct buf *page, const struct lines *l, struct arena *a)
{
    enum err e = text_open(t, buf_view(page), l->n, l->offsets[l->n], a);
    return e || !text_needs_lengths(t) ? e : text_set_lengths(t, l->lengths);
}

static bool finds_the_same(struct text_page *t, const struct lines *l, struct rng *rng, const uint64_t *grams)
{
    static uint8_t alive[ROWS_MAX], hit[ROWS_MAX];
    char own[LINE_MAX];
    struct str needle = random_needle(rng, l, own);
    struct finder f;
    finder_init(&f, needle);
    bool some = rng_below(rng, 3) == 0;
    for (uint32_t i = 0; i < l->n; i++) {
        alive[i] = !some || rng_below(rng, 2);
        hit[i] = 0;
    }
    if (text_find(t, &f, alive, hit)) {
        return false;
    }
    for (uint32_t i = 0; i < l->n; i++) {
        bool want = str_find(line_at(l, i), needle, 0) != STR_NPOS;
        bool got = hit[i] != 0;
        if ((got != want && (alive[i] || got)) || (want && !grams_may_contain(grams, needle))) {
            (void)fprintf(stderr, "needle '%.*s' in '%.*s': %d\n", STR_FMT(needle), STR_FMT(line_at(l, i)),
                          got);
            return false;
        }
    }
    return true;
}

static bool lines_come_back(struct text_page *t, const struct lines *l, struct rng *rng)
{
    static uint8_t alive[ROWS_MAX];
    static struct str got[ROWS_MAX];
    for (uint32_t i = 0; i < l->n; i++) {
        alive[i] = rng_below(rng, 4) > 0;
    }
    if (text_lines(t, alive, got)) {
        return false;
    }
    for (uint32_t i = 0; i < l->n; i++) {
        if (alive[i] && !str_eq(got[i], line_at(l, i))) {
            return false;
        }
    }
    return true;
}

TEST(lines_come_back_and_are_found_whatever_the_form)
{
    static struct lines l;
    static uint8_t scratch[GRAMS_BITS];
    static uint64_t grams[GRAMS_BITS / 64];
    struct rng rng;
    rng_init(&rng, test_seed());
    struct text_writer w;
    CHECK_OK(text_writer_init(&w));
    unsigned forms[3] = {0};
    for (int round = 0; round < 150; round++) {
        make_lines(&rng, &l);
        struct str text = str_of(l.text, l.offsets[l.n]);
        struct buf page AUTO_BUF = {0}, g AUTO_BUF = {0};
        w.until_trial = rng_below(&rng, 2) ? 0 : w.until_trial;
        w.use_templates = rng_below(&rng, 2) || w.use_templates;
        text_write(&w, &page, text, l.offsets, l.n);
        CHECK_OK(page.err);
        forms[(unsigned char)page.p[0] % 3]++;
        grams_write(&g, text, scratch);
        grams_read(buf_view(&g), grams);
        struct arena a AUTO_ARENA;
        arena_init(&a, 0, NULL);
        struct text_page t;
        CHECK_OK(open_page(&t, &page, &l, &a));
        for (int i = 0; i < 30; i++) {
            CHECK(finds_the_same(&t, &l, &rng, grams));
        }
        CHECK(lines_come_back(&t, &l, &rng));
        text_done(&t);
    }
    text_writer_done(&w);
    CHECK(forms[1] > 5);
    CHECK(forms[2] > 50);
}

/* Whatever bytes a page has, reading it ends, with lines or with CORRUPT. */
TEST(damaged_pages_are_refused_or_read)
{
    static struct lines l;
    static struct str got[ROWS_MAX];
    static uint8_t alive[ROWS_MAX], hit[ROWS_MAX];
    struct rng rng;
    rng_init(&rng, test_seed() + 1);
    struct text_writer w;
    CHECK_OK(text_writer_init(&w));
    make_lines(&rng, &l);
    for (int round = 0; round < 400; round++) {
        struct buf page AUTO_BUF = {0};
        if (round % 40 == 0) {
            make_lines(&rng, &l);
        }
        w.use_templates = true;
        w.until_trial = 5;
        text_write(&w, &page, str_of(l.text, l.offsets[l.n]), l.offsets, l.n);
        CHECK_OK(page.err);
        for (int i = 0; i < 3 && page.n; i++) {
            page.p[rng_below(&rng, page.n)] ^= (char)(1u << rng_below(&rng, 8));
        }
        struct arena a AUTO_ARENA;
        arena_init(&a, 0, NULL);
        struct text_page t;
        struct finder f;
        finder_init(&f, STR("user 1"));
        memset(alive, 1, l.n);
        enum err e = open_page(&t, &page, &l, &a);
        e = e ? e : text_find(&t, &f, alive, hit);
        e = e ? e : text_lines(&t, alive, got);
        CHECK(e == ERR_OK || e == ERR_CORRUPT);
        text_done(&t);
    }
    text_writer_done(&w);
}
