/* The common case of a scrape: the body says the same series in the same order as the one before, under the
 * same comments, and only the values are new. Each line then costs one comparison and one number. What is
 * unusual in any way (a timestamp, an exemplar, a limit that is reached, a series the store does not know) is
 * left to the reader of single lines, after which this one goes on. */
#include "metrics/scrape/body_int.h"

#include "base/hash.h"
#include "codec/num.h"

enum {
    LOOK_AHEAD = 12, /* entries: memory answers meanwhile */
    LINE_BYTES = 64
};

struct scrape_gap scrape_gap_of(const char *from, const char *to, unsigned lines, uint8_t flags)
{
    size_t n = (size_t)(to - from);
    if (n >= UINT32_MAX || lines > UINT16_MAX) {
        return (struct scrape_gap){.bytes = UINT32_MAX, .flags = flags};
    }
    return (struct scrape_gap){n ? hash_seeded(from, n, hash_seed()) : 0, (uint32_t)n, (uint16_t)lines,
                               flags};
}

static void soon(const struct scrape_cache *c, size_t i)
{
    if (i < c->page.count) {
        const char *s = (const char *)c->page.entries[i].series;
        __builtin_prefetch(s);
        __builtin_prefetch(s + LINE_BYTES);
    }
}

/* The line at p is the entry's: *ret_end behind its LF. */
static bool line_is(const struct page_entry *e, const char *p, const char *end, double *ret_value,
                    const char **ret_end)
{
    const struct cached_series *s = e->series;
    size_t n = s->text_size;
    if ((size_t)(end - p) < e->gap.bytes + n + 3) { /* space, digit, LF */
        return false;
    }
    const char *text = p + e->gap.bytes, *value = text + n + 1;
    if (text[n] != ' ' || memcmp(text, s->text, n) != 0 ||
        (e->gap.bytes && hash_seeded(p, e->gap.bytes, hash_seed()) != e->gap.hash)) {
        return false;
    }
    if (!exposition_value_take(&value, end, ret_value) || value == end || *value != '\n') {
        return false;
    }
    *ret_end = value + 1;
    return true;
}

/* There is room in the batch. */
static inline void take(struct body_reader *r, struct cached_series *s, double value)
{
    r->counts.total++;
    if (s->flags & CACHED_DROPPED) {
        return;
    }
    r->counts.added++;
    if (UNLIKELY((s->flags & (CACHED_TRACKED | CACHED_UNSENT)) != CACHED_TRACKED)) {
        s->flags = (uint8_t)((s->flags | CACHED_TRACKED) & ~CACHED_UNSENT);
    }
    scrape_batch_add_known(r->batch, s, value);
}

/* The entry's line is what came. */
static inline void came(struct scrape_cache *c, const struct page_entry *e)
{
    if (LIKELY(c->settled != c->scrape)) { /* all until here is as the page */
        c->next++;
        return;
    }
    (void)scrape_cache_see(c, e->series);
    scrape_cache_came(c, e->series, e->gap, false);
}

/* Nothing about it is unusual but perhaps the line. */
static inline bool plain(const struct body_reader *r, const struct page_entry *e, uint64_t limit)
{
    const struct cached_series *s = e->series;
    bool first = r->cache->settled == r->cache->scrape ? s->seen != r->cache->scrape : !e->again;
    return first && r->counts.added < limit && (s->ref || (s->flags & CACHED_DROPPED));
}

enum err scrape_body_read_known(struct body_reader *r, struct body_place *at)
{
    struct scrape_cache *c = r->cache;
    const char *p = at->body.p + at->pos, *end = at->body.p + at->body.n;
    uint64_t limit = r->job->d.limits.samples ? r->job->d.limits.samples : UINT64_MAX;
    enum err err =
        c->next < c->page.count ? scrape_batch_reserve_known(r->batch, c->page.count - c->next) : ERR_OK;
    if (err) {
        return err;
    }
    while (c->next < c->page.count) {
        const struct page_entry *e = &c->page.entries[c->next];
        const char *after = p;
        double value = 0;
        soon(c, c->next + LOOK_AHEAD);
        if (!plain(r, e, limit) || !line_is(e, p, end, &value, &after)) {
            break;
        }
        at->flags = e->gap.flags == SCRAPE_GAP_NO_TYPE ? at->flags : e->gap.flags;
        at->line += e->gap.lines + 1u;
        take(r, e->series, value);
        came(c, e);
        p = after;
    }
    at->pos = (size_t)(p - at->body.p);
    return ERR_OK;
}

bool scrape_body_tail_known(const struct body_reader *r, const struct body_place *at)
{
    const struct scrape_cache *c = r->cache;
    size_t left = at->body.n - at->pos;
    return !c->differs && c->page.count && c->next == c->page.count && left == c->page.tail.bytes &&
           (left == 0 || hash_seeded(at->body.p + at->pos, left, hash_seed()) == c->page.tail.hash);
}
