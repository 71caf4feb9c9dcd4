/* The steps of a streaming aggregation shared out among processors. Each part reads the series anew, over its
 * own times, and fills groups of its own; the parts' columns are put behind each other. Every step sees the
 * same series in the same order as without parts, so results are the same. */
#include "base/thread.h"
#include "metrics/promql/stream.h"

enum {
    PART_STEPS_MIN = 1024, /* fewer are not worth finding the series once more */
    PARTS_MAX = 16
};

struct part {
    struct stream stream;
    struct eval eval;
    struct notes notes;
    struct usage usage;
    struct arena arena;
    struct err_info info;
    struct thread thread;
    size_t first; /* step */
    enum err err;
};

/* Threads at work for all queries, besides the queries' own. */
static atomic_uint helpers;

static unsigned claim_helpers(unsigned want)
{
    unsigned most = thread_cpu_count() - 1, now = atomic_load(&helpers), got;
    do {
        got = now < most ? most - now : 0;
        got = got < want ? got : want;
    } while (got && !atomic_compare_exchange_weak(&helpers, &now, now + got));
    return got;
}

static void run_part(void *ctx)
{
    struct part *p = ctx;
    p->err = stream_fold(&p->stream);
}

static void part_init(struct part *p, const struct stream *s, size_t first, size_t end)
{
    struct eval *e = s->e;
    *p = (struct part){.first = first, .usage = *e->usage, .eval = *e, .stream = *s};
    arena_init(&p->arena, 0, e->a->budget);
    p->eval.a = &p->arena;
    p->eval.info = &p->info;
    p->eval.notes = &p->notes;
    p->eval.usage = &p->usage;
    p->eval.start = step_time(e, first);
    p->eval.steps = end - first;
    p->eval.continues = first > 0;
    p->stream.e = &p->eval;
}

static void put_column(void *column, const void *of_part, const struct part *p, size_t size)
{
    if (column) {
        memcpy((char *)column + p->first * size, of_part, p->eval.steps * size);
    }
}

static enum err put_group(struct stream *s, const struct part *p, struct stream_group *from)
{
    struct stream_group *to;
    struct labels kept;
    uint32_t *slot;
    enum err err = stream_find(s, from->hash, &to, &slot);
    if (!err && !to) {
        err = labels_dup(s->e->a, from->labels, &kept) ? eval_no_memory(s->e) : ERR_OK;
        err = err ? err : stream_add_group(s, kept, from->hash, slot, &to);
    }
    if (err) {
        return err;
    }
    to->order = from->order < to->order ? from->order : to->order;
    if (!to->first.l || labels_cmp(from->first, to->first) < 0) {
        err = labels_dup(s->e->a, from->first, &to->first) ? eval_no_memory(s->e) : ERR_OK;
    }
    stream_settle(from);
    put_column(to->a, from->a, p, sizeof(*to->a));
    put_column(to->c, from->c, p, sizeof(*to->c));
    put_column(to->n, from->n, p, sizeof(*to->n));
    put_column(to->state, from->state, p, sizeof(*to->state));
    return err;
}

static enum err put_part(struct stream *s, const struct part *p, const struct usage *before)
{
    struct eval *e = s->e;
    uint64_t above = p->usage.peak > p->usage.current ? p->usage.peak - p->usage.current : 0;
    if (p->err) {
        *e->info = p->info;
        return p->err;
    }
    s->other |= p->stream.other;
    s->unordered |= p->stream.unordered;
    e->usage->total += p->usage.total - before->total;
    e->usage->read += p->usage.read - before->read;
    e->usage->current += p->usage.current - before->current;
    notes_tell(e, &p->notes, 0, 0);
    enum err err = eval_peak(e, above);
    for (size_t g = 0; g < p->stream.group_count && !err && !s->other; g++) {
        err = put_group(s, p, &p->stream.groups[g]);
    }
    return err;
}

static enum err fold_parts(struct stream *s, struct part *parts, size_t n)
{
    struct usage before = *s->e->usage;
    enum err err = ERR_OK;
    for (size_t i = 0; i < n; i++) {
        part_init(&parts[i], s, s->e->steps * i / n, s->e->steps * (i + 1) / n);
        if (i == 0 || thread_start(&parts[i].thread, "promql", run_part, &parts[i]) != ERR_OK) {
            continue; /* runs below */
        }
    }
    for (size_t i = 0; i < n; i++) {
        if (!parts[i].thread.started) {
            run_part(&parts[i]);
        }
    }
    for (size_t i = 0; i < n; i++) {
        thread_join(&parts[i].thread);
    }
    for (size_t i = 0; i < n; i++) {
        err = err ? err : put_part(s, &parts[i], &before);
        arena_done(&parts[i].arena);
    }
    return err;
}

enum err stream_fold_parts(struct stream *s)
{
    struct eval *e = s->e;
    size_t least = e->options->part_steps ? e->options->part_steps : PART_STEPS_MIN, n = e->steps / least;
    n = n < PARTS_MAX ? n : PARTS_MAX;
    bool whole = n <= 1 || e->options->step_usage; /* the peak is that of the series one after another */
    unsigned claimed = !whole ? claim_helpers((unsigned)n - 1) : 0;
    struct part *parts = claimed ? arena_array(e->a, claimed + 1, sizeof(*parts)) : NULL;
    enum err err = parts ? fold_parts(s, parts, claimed + 1) : stream_fold(s);
    atomic_fetch_sub(&helpers, claimed);
    return err;
}
