/* Stages that let lines through or not: drop, limit, sampling. */
#include "agent/stages/stage.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/strmap.h"
#include "labels/regex.h"

enum {
    WAIT_MS = 5,
    DISTINCT_LABELS_MIN = 10000
};

/* -- drop
 * ----------------------------------------------------------------------------------------------------- */

struct drop_stage {
    struct stage base;
    const struct str *sources;
    size_t source_count;
    struct str separator, reason, value;
    bool has_value;
    struct regex *re;
    int64_t older_ms; /* 0: not given */
    uint64_t longer_bytes;
    bool has_longer;
};

/* The given sources' values joined; false when one is missing. *ret_present counts those that are text. */
static bool join_sources(const struct drop_stage *d, struct entry *e, struct str *ret_text)
{
    struct buf joined AUTO_BUF = {0};
    for (size_t i = 0; i < d->source_count; i++) {
        const struct value *v = entry_value(e, d->sources[i]);
        struct str text;
        if (!v) {
            return false;
        }
        if (!value_text(v, e->arena, &text)) {
            text = STR("");
        }
        if (i) {
            buf_str(&joined, d->separator);
        }
        buf_str(&joined, text);
    }
    *ret_text = arena_str(e->arena, buf_view(&joined));
    return ret_text->p != NULL;
}

static bool source_says_drop(const struct drop_stage *d, struct entry *e)
{
    struct str text;
    if (!d->source_count) {
        return !d->re || regex_match(d->re, e->line);
    }
    if (!join_sources(d, e, &text)) {
        return false;
    }
    if (d->has_value) {
        return str_eq(text, d->value);
    }
    return !d->re || regex_match(d->re, text);
}

static void drop_process(struct stage *s, struct entry *e)
{
    const struct drop_stage *d = (const struct drop_stage *)s;
    bool drop = (!d->has_longer || e->line.n > d->longer_bytes) &&
                (!d->older_ms || e->ts < clock_wall_ns(s->env->clock) - d->older_ms * NS_PER_MS) &&
                source_says_drop(d, e);
    if (drop) {
        agent_line_dropped(s->env->metrics, d->reason);
        return;
    }
    stage_pass(s, e);
}

static void drop_free(struct stage *s)
{
    regex_free(((struct drop_stage *)s)->re);
}

static const struct stage_ops drop_ops = {.process = drop_process, .free = drop_free};

static enum err read_drop(struct drop_stage *d, const struct yaml_node *n, struct err_info *info)
{
    const struct yaml_node *longer = stage_option(n, "longer_than"), *value = stage_option(n, "value");
    enum err e =
        yaml_str_list(d->base.env->arena, stage_option(n, "source"), &d->sources, &d->source_count, info);
    e = e ? e : stage_str(n, "separator", &d->separator, info);
    e = e ? e : stage_str(n, "drop_counter_reason", &d->reason, info);
    e = e ? e : yaml_str(value, &d->value, info);
    e = e ? e : yaml_duration(stage_option(n, "older_than"), true, &d->older_ms, info);
    e = e ? e : yaml_size(longer, &d->longer_bytes, info);
    e = e ? e : stage_regex(n, "expression", &d->re, info);
    d->has_longer = !yaml_is_null(longer);
    d->has_value = !yaml_is_null(value);
    if (!d->separator.n) {
        d->separator = STR(";");
    }
    if (!d->reason.n) {
        d->reason = STR("drop_stage");
    }
    return e;
}

enum err stage_drop_new(const struct stage_env *env, const struct yaml_node *n, struct stage **ret_stage,
                        struct err_info *reterr_info)
{
    static const char *const keys[] = {"source",     "separator",   "expression",          "value",
                                       "older_than", "longer_than", "drop_counter_reason", NULL};
    struct drop_stage *d = stage_alloc(env, sizeof(*d), &drop_ops);
    if (!d) {
        return ERR_OOM;
    }
    stage_unknown_options(n, "drop", keys);
    enum err e = read_drop(d, n, reterr_info);
    if (!e && !d->source_count && !d->re && !d->has_value && !d->older_ms && !d->has_longer) {
        e = yaml_error(n, reterr_info,
                       "drop stage must contain at least one of `source`, `expression`, `older_than` or "
                       "`longer_than`");
    }
    if (!e && d->has_value && (d->re || !d->source_count)) {
        e = yaml_error(n, reterr_info, "drop stage `value` needs `source` and cannot go with `expression`");
    }
    if (e) {
        drop_free(&d->base);
        return e;
    }
    *ret_stage = &d->base;
    return ERR_OK;
}

/* -- limit
 * ---------------------------------------------------------------------------------------------------- */

struct bucket {
    double tokens;
    int64_t at_ns;
};

struct limit_stage {
    struct stage base;
    double rate;
    uint64_t burst, labels_max;
    bool drop;
    struct str by_label;
    struct bucket bucket;
    struct strmap by_value; /* of struct bucket */
};

static bool take(const struct limit_stage *l, struct bucket *b)
{
    int64_t now = clock_mono_ns(l->base.env->clock);
    b->tokens += (double)(now - b->at_ns) / (double)NS_PER_S * l->rate;
    b->tokens = b->tokens > (double)l->burst ? (double)l->burst : b->tokens;
    b->at_ns = now;
    if (b->tokens < 1) {
        return false;
    }
    b->tokens -= 1;
    return true;
}

static struct bucket *bucket_of(struct limit_stage *l, struct str value)
{
    struct bucket *b = strmap_get(&l->by_value, value);
    if (b) {
        return b;
    }
    if (l->by_value.count >= l->labels_max) { /* as the original: begin anew */
        strmap_clear(&l->by_value, mem_free);
    }
    b = mem_zalloc(sizeof(*b));
    if (!b) {
        return NULL;
    }
    b->tokens = (double)l->burst;
    b->at_ns = clock_mono_ns(l->base.env->clock);
    if (strmap_put(&l->by_value, value, b, NULL)) {
        mem_free(b);
        return NULL;
    }
    return b;
}

static void drop_by_label(struct limit_stage *l, struct str value)
{
    char name[256], text[256];
    memcpy(name, l->by_label.p, l->by_label.n < 255 ? l->by_label.n : 255);
    name[l->by_label.n < 255 ? l->by_label.n : 255] = '\0';
    memcpy(text, value.p, value.n < 255 ? value.n : 255);
    text[value.n < 255 ? value.n : 255] = '\0';
    const char *values[] = {name, text};
    agent_count(l->base.env->metrics, AM_LINES_DROPPED_BY_LABEL, 1, values);
    agent_line_dropped(l->base.env->metrics, STR("ratelimit_drop_stage"));
}

static void limit_process(struct stage *s, struct entry *e)
{
    struct limit_stage *l = (struct limit_stage *)s;
    if (l->by_label.n) {
        struct str value = entry_label(e, l->by_label);
        struct bucket *b = value.p ? bucket_of(l, value) : NULL;
        if (b && !take(l, b)) {
            drop_by_label(l, value);
            return;
        }
    } else if (!take(l, &l->bucket)) {
        if (l->drop) {
            agent_line_dropped(s->env->metrics, STR("ratelimit_drop_stage"));
            return;
        }
        do {
            clock_sleep_ms(WAIT_MS);
        } while (!take(l, &l->bucket) && !atomic_load_explicit(s->env->stop, memory_order_relaxed));
    }
    stage_pass(s, e);
}

static void limit_free(struct stage *s)
{
    struct limit_stage *l = (struct limit_stage *)s;
    strmap_clear(&l->by_value, mem_free);
    strmap_done(&l->by_value);
}

static const struct stage_ops limit_ops = {.process = limit_process, .free = limit_free};

enum err stage_limit_new(const struct stage_env *env, const struct yaml_node *n, struct stage **ret_stage,
                         struct err_info *reterr_info)
{
    static const char *const keys[] = {"rate", "burst", "drop", "by_label_name", "max_distinct_labels", NULL};
    struct limit_stage *l = stage_alloc(env, sizeof(*l), &limit_ops);
    if (!l) {
        return ERR_OOM;
    }
    stage_unknown_options(n, "limit", keys);
    enum err e = yaml_f64(stage_option(n, "rate"), &l->rate, reterr_info);
    e = e ? e : yaml_u64(stage_option(n, "burst"), &l->burst, reterr_info);
    e = e ? e : yaml_bool(stage_option(n, "drop"), &l->drop, reterr_info);
    e = e ? e : stage_str(n, "by_label_name", &l->by_label, reterr_info);
    e = e ? e : yaml_u64(stage_option(n, "max_distinct_labels"), &l->labels_max, reterr_info);
    if (!e && (l->rate <= 0 || l->burst == 0)) {
        return yaml_error(n, reterr_info, "limit stage failed to parse rate or burst: both must be above 0");
    }
    if (!e && l->by_label.n && !l->drop) {
        return yaml_error(n, reterr_info, "by_label_name needs drop: true");
    }
    if (e) {
        return e;
    }
    l->labels_max = l->labels_max < DISTINCT_LABELS_MIN ? DISTINCT_LABELS_MIN : l->labels_max;
    l->bucket = (struct bucket){(double)l->burst, clock_mono_ns(env->clock)};
    *ret_stage = &l->base;
    return ERR_OK;
}

/* -- sampling
 * ------------------------------------------------------------------------------------------------- */

struct sampling_stage {
    struct stage base;
    double rate;
    struct str reason;
    struct rng rng;
};

static void sampling_process(struct stage *s, struct entry *e)
{
    struct sampling_stage *p = (struct sampling_stage *)s;
    if (rng_f64(&p->rng) >= p->rate) {
        agent_line_dropped(s->env->metrics, p->reason);
        return;
    }
    stage_pass(s, e);
}

static const struct stage_ops sampling_ops = {.process = sampling_process};

enum err stage_sampling_new(const struct stage_env *env, const struct yaml_node *n, struct stage **ret_stage,
                            struct err_info *reterr_info)
{
    static const char *const keys[] = {"rate", "drop_counter_reason", NULL};
    struct sampling_stage *p = stage_alloc(env, sizeof(*p), &sampling_ops);
    if (!p) {
        return ERR_OOM;
    }
    p->reason = STR("sampling_stage");
    stage_unknown_options(n, "sampling", keys);
    enum err e = yaml_f64(stage_option(n, "rate"), &p->rate, reterr_info);
    e = e ? e : stage_str(n, "drop_counter_reason", &p->reason, reterr_info);
    if (!e && !(p->rate >= 0 && p->rate <= 1)) {
        return yaml_error(n, reterr_info, "sampling rate must be between 0.0 and 1.0");
    }
    rng_init(&p->rng, (uint64_t)clock_mono_ns(env->clock) ^ (uint64_t)(uintptr_t)p);
    if (!e) {
        *ret_stage = &p->base;
    }
    return e;
}
