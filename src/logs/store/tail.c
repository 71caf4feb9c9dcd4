/* Each tail has its own lock, held while its callback runs, so that closing can wait for the callback. The
 * list is copied first: a slow listener keeps its own line of pushes waiting and nobody else's list. */
#include "logs/store/tail.h"

#include "base/mem.h"
#include "logs/store/cursor_int.h"

struct tail {
    struct tails *owner;
    atomic_uint refs;
    struct mutex lock; /* guards closed, and is held over fn */
    bool closed;
    struct arena arena;
    struct str tenant;
    struct log_select sel;
    tail_fn *fn;
    void *ctx;
};

void tails_init(struct tails *t)
{
    *t = (struct tails){0};
    mutex_init(&t->lock);
}

void tails_done(struct tails *t)
{
    mem_free(t->items);
    mutex_done(&t->lock);
}

static void tail_unref(struct tail *t)
{
    if (atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) == 1) {
        arena_done(&t->arena);
        mutex_done(&t->lock);
        mem_free(t);
    }
}

static enum err fill(struct tail *t, struct str tenant, const struct log_select *sel)
{
    t->sel = *sel;
    t->tenant = arena_str(&t->arena, tenant);
    struct matcher *m = arena_array(&t->arena, sel->matcher_count + 1, sizeof(*m));
    if (!t->tenant.p || !m) {
        return ERR_OOM;
    }
    if (sel->matcher_count) {
        memcpy(m, sel->matchers, sel->matcher_count * sizeof(*m));
    }
    t->sel.matchers = m;
    return ERR_OK;
}

enum err tail_new(struct tails *ts, struct str tenant, const struct log_select *sel, tail_fn *fn, void *ctx,
                  struct tail **ret_tail)
{
    struct tail *t = mem_zalloc(sizeof(*t));
    if (!t) {
        return ERR_OOM;
    }
    t->owner = ts;
    t->fn = fn;
    t->ctx = ctx;
    atomic_init(&t->refs, 1);
    mutex_init(&t->lock);
    arena_init(&t->arena, 0, NULL);
    enum err e = fill(t, tenant, sel);
    if (!e) {
        mutex_lock(&ts->lock);
        e = vec_reserve((void **)&ts->items, &ts->cap, ts->n + 1, sizeof(struct tail *));
        if (!e) {
            ts->items[ts->n++] = t;
            atomic_store_explicit(&ts->count, ts->n, memory_order_relaxed);
        }
        mutex_unlock(&ts->lock);
    }
    if (e) {
        tail_unref(t);
        return e;
    }
    *ret_tail = t;
    return ERR_OK;
}

void tail_close(struct tail *t)
{
    struct tails *ts = t->owner;
    mutex_lock(&ts->lock);
    for (size_t i = 0; i < ts->n; i++) {
        if (ts->items[i] == t) {
            ts->items[i] = ts->items[--ts->n];
            break;
        }
    }
    atomic_store_explicit(&ts->count, ts->n, memory_order_relaxed);
    mutex_unlock(&ts->lock);
    mutex_lock(&t->lock);
    t->closed = true;
    mutex_unlock(&t->lock);
    tail_unref(t);
}

bool tails_any(const struct tails *ts)
{
    return atomic_load_explicit(&ts->count, memory_order_relaxed) > 0;
}

static void tell(struct tail *t, const struct log_push *push, const uint8_t *stored)
{
    for (size_t i = 0; i < push->stream_count; i++) {
        const struct log_stream_push *s = &push->streams[i];
        bool wanted = str_eq(push->tenant, t->tenant) &&
                      matchers_match(t->sel.matchers, t->sel.matcher_count, s->labels);
        struct log_stream_view view = {s->labels, wanted ? labels_hash(s->labels) : 0};
        for (size_t k = 0; wanted && k < s->entry_count; k++) {
            const struct log_entry *e = &s->entries[k];
            if (stored[k]) {
                t->fn(t->ctx, &view, e->ts, e->line, (struct labels){e->metadata, e->metadata_count});
            }
        }
        stored += s->entry_count;
    }
}

void tails_tell(struct tails *ts, const struct log_push *push, const uint8_t *stored)
{
    mutex_lock(&ts->lock);
    size_t n = ts->n;
    struct tail **copy = mem_array(n ? n : 1, sizeof(struct tail *));
    for (size_t i = 0; copy && i < n; i++) {
        copy[i] = ts->items[i];
        atomic_fetch_add_explicit(&copy[i]->refs, 1, memory_order_relaxed);
    }
    mutex_unlock(&ts->lock);
    for (size_t i = 0; copy && i < n; i++) {
        mutex_lock(&copy[i]->lock);
        if (!copy[i]->closed) {
            tell(copy[i], push, stored);
        }
        mutex_unlock(&copy[i]->lock);
        tail_unref(copy[i]);
    }
    mem_free(copy);
}
