/* info(v, selector): adds to each series the labels of the info series (target_info, or those the selector
 * names) that has the same `instance` and `job`. */
#include <stdlib.h>

#include "metrics/promql/functions.h"
#include "metrics/promql/vector_fns.h"

enum {
    ID_LABELS = 2,
    NO_SERIES = -1
};

static const struct str id_labels[ID_LABELS] = {{"instance", 8}, {"job", 3}};

/* Info series of one name, instance and job: at each step the newest of them counts. */
struct info_group {
    uint64_t key;    /* of instance and job */
    int32_t *winner; /* by step; NO_SERIES */
    struct labels labels;
};

struct info_job {
    struct eval *e;
    const struct node *call;
    const struct node *first_selector;
    struct value *base;
    struct matcher *data;  /* matchers of data labels; borrowed from the tree */
    struct matcher *names; /* of info metrics; [0] may be our own */
    size_t data_count, name_count;
    bool own_name;
    struct value info;
    struct info_group *groups; /* by key */
    size_t group_count;
    struct value *out;
};

static uint64_t id_key(struct labels ls)
{
    return labels_hash_by(ls, id_labels, ID_LABELS);
}

/* -- which info series ----------------------------------------------------------------------------------- */

/* The selector whose times govern the info series, its offset and time shifted by the subqueries around it.
 */
static bool find_selector(const struct node *n, struct node *timed)
{
    if (n->kind == N_SELECTOR) {
        timed->offset_ms = n->offset_ms;
        timed->at = n->at;
        timed->at_ms = n->at_ms;
        return true;
    }
    for (size_t i = 0; i < n->arg_count && n->kind != N_DURATION; i++) {
        if (find_selector(n->args[i], timed)) {
            if (n->kind == N_SUBQUERY && timed->at == AT_NONE) {
                timed->offset_ms += n->offset_ms;
                timed->at = n->at;
                timed->at_ms = n->at_ms;
            }
            return true;
        }
    }
    return n->param && find_selector(n->param, timed);
}

/* Name matchers as they select: a positive one stands for itself, only negative ones narrow *_info, none
 * means target_info. */
static enum err split_matchers(struct info_job *j)
{
    const struct node *s = j->call->arg_count > 1 ? j->call->args[1] : NULL;
    size_t n = s ? s->matcher_count : 0;
    bool positive = false;
    j->data = arena_zarray(j->e->a, n + 1, sizeof(*j->data));
    j->names = arena_zarray(j->e->a, n + 1, sizeof(*j->names));
    if (!j->data || !j->names) {
        return eval_no_memory(j->e);
    }
    j->name_count = 1; /* room for our own */
    for (size_t i = 0; i < n; i++) {
        const struct matcher *m = &s->matchers[i];
        if (str_eq(m->name, LABEL_METRIC_NAME)) {
            j->names[j->name_count++] = *m;
            positive |= m->op == MATCH_EQ || m->op == MATCH_RE;
        } else {
            j->data[j->data_count++] = *m;
        }
    }
    if (positive) {
        j->names++;
        j->name_count--;
        return ERR_OK;
    }
    bool none = j->name_count == 1;
    enum err err = matcher_init(&j->names[0], none ? MATCH_EQ : MATCH_RE, LABEL_METRIC_NAME,
                                none ? STR("target_info") : STR(".+_info"), j->e->info);
    j->own_name = !err;
    return err;
}

/* An info series itself is not enriched. */
static bool is_info(const struct info_job *j, struct labels ls)
{
    struct str name = metric_name(ls);
    for (size_t i = 0; i < j->name_count; i++) {
        if (!matcher_matches(&j->names[i], name)) {
            return false;
        }
    }
    return true;
}

static void quote_regex(struct buf *b, struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] && strchr("\\.+*?()|[]{}^$", s.p[i])) {
            buf_char(b, '\\');
        }
        buf_char(b, s.p[i]);
    }
}

static int compare_str(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

/* A matcher for the values the base series have of an identifying label; *ret_n grows when there is any and
 * the expression is not too long. */
static enum err match_values(struct info_job *j, struct str label, struct matcher *m, size_t *ret_n,
                             bool *ret_any)
{
    struct buf pattern AUTO_BUF = {0};
    struct str *values = arena_array(j->e->a, j->base->n + 1, sizeof(*values));
    size_t n = 0;
    if (!values) {
        return eval_no_memory(j->e);
    }
    for (size_t k = 0; k < j->base->n; k++) {
        struct str v = labels_get(j->base->s[k].labels, label);
        if (v.n && !is_info(j, j->base->s[k].labels)) {
            values[n++] = v;
        }
    }
    qsort(values, n, sizeof(*values), compare_str);
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || !str_eq(values[i], values[i - 1])) {
            buf_c(&pattern, i ? "|" : "");
            quote_regex(&pattern, values[i]);
        }
    }
    *ret_any |= n > 0;
    if (n == 0 || pattern.n >= REGEX_PATTERN_BYTES_MAX) {
        return ERR_OK;
    }
    struct str kept = arena_str(j->e->a, buf_view(&pattern));
    if (!kept.p) {
        return eval_no_memory(j->e);
    }
    enum err err = matcher_init(&m[*ret_n], MATCH_RE, label, kept, j->e->info);
    *ret_n += !err;
    return err;
}

static enum err fetch_info(struct info_job *j)
{
    size_t room = ID_LABELS + j->data_count + j->name_count, n = 0;
    struct node selector = {.kind = N_SELECTOR, .type = TYPE_VECTOR};
    struct matcher *m = arena_zarray(j->e->a, room + 1, sizeof(*m));
    bool any = false;
    enum err err = m ? ERR_OK : eval_no_memory(j->e);
    for (size_t i = 0; i < ID_LABELS && !err; i++) {
        err = match_values(j, id_labels[i], m, &n, &any);
    }
    size_t own = n;
    if (!err && any) {
        memcpy(m + n, j->data, j->data_count * sizeof(*m));
        memcpy(m + n + j->data_count, j->names, j->name_count * sizeof(*m));
        selector.matchers = m;
        selector.matcher_count = n + j->data_count + j->name_count;
        (void)find_selector(j->call->args[0], &selector);
        err = eval_selector(j->e, &selector, SELECT_TIME_MS, &j->info);
        j->e->usage->gathered += err ? 0 : value_last(j->e, &j->info);
        usage_gather(j->e, &j->info);
    }
    for (size_t i = 0; i < own; i++) {
        matcher_done(&m[i]);
    }
    return err;
}

/* -- the newest of each group ---------------------------------------------------------------------------- */

static int compare_groups(const void *a, const void *b)
{
    const struct info_group *x = a, *y = b;
    return (x->key > y->key) - (x->key < y->key);
}

static bool same_group(const struct info_group *g, struct labels ls)
{
    bool same = str_eq(metric_name(g->labels), metric_name(ls));
    for (size_t i = 0; i < ID_LABELS && same; i++) {
        same = str_eq(labels_get(g->labels, id_labels[i]), labels_get(ls, id_labels[i]));
    }
    return same;
}

static enum err conflict(struct info_job *j, const struct series *old, const struct series *new_one,
                         size_t step)
{
    struct buf a AUTO_BUF = {0}, b AUTO_BUF = {0};
    labels_format_loki(&a, old->labels);
    labels_format_loki(&b, new_one->labels);
    return err_set(j->e->info, ERR_EXECUTION,
                   "found duplicate series for info metric: existing %.*s @ %lld, new %.*s @ %lld",
                   STR_FMT(buf_view(&a)), (long long)old->v[step], STR_FMT(buf_view(&b)),
                   (long long)new_one->v[step]);
}

static enum err compete(struct info_job *j, struct info_group *g, size_t index)
{
    const struct series *s = &j->info.s[index];
    for (size_t i = 0; i < j->e->steps; i++) {
        const struct series *best = g->winner[i] == NO_SERIES ? NULL : &j->info.s[g->winner[i]];
        if (!s->has[i]) {
            continue;
        }
        if (best && best->v[i] == s->v[i]) {
            return conflict(j, best, s, i);
        }
        if (!best || best->v[i] < s->v[i]) {
            g->winner[i] = (int32_t)index;
        }
    }
    return ERR_OK;
}

static enum err group_info(struct info_job *j)
{
    struct eval *e = j->e;
    enum err err = ERR_OK;
    j->groups = arena_zarray(e->a, j->info.n + 1, sizeof(*j->groups));
    if (!j->groups) {
        return eval_no_memory(e);
    }
    for (size_t k = 0; k < j->info.n && !err; k++) {
        struct labels ls = j->info.s[k].labels;
        size_t g = 0;
        while (g < j->group_count && !same_group(&j->groups[g], ls)) {
            g++;
        }
        if (g == j->group_count) {
            int32_t *winner = arena_array(e->a, e->steps, sizeof(*winner));
            if (!winner) {
                return eval_no_memory(e);
            }
            memset(winner, 0xff, e->steps * sizeof(*winner));
            j->groups[j->group_count++] = (struct info_group){id_key(ls), winner, ls};
        }
        err = compete(j, &j->groups[g], k);
    }
    qsort(j->groups, j->group_count, sizeof(*j->groups), compare_groups);
    return err;
}

/* -- enriching ------------------------------------------------------------------------------------------- */

static bool wanted(const struct info_job *j, struct str label)
{
    for (size_t i = 0; i < j->data_count; i++) {
        if (str_eq(j->data[i].name, label)) {
            return true;
        }
    }
    return j->data_count == 0;
}

/* Adds the data labels of one info series. `added` holds what other info series gave. */
static enum err add_labels(struct info_job *j, struct labels base, struct labels info, struct labels *added)
{
    for (size_t i = 0; i < info.n; i++) {
        struct label l = info.l[i];
        if (str_eq(l.name, LABEL_METRIC_NAME) || !wanted(j, l.name)) {
            continue;
        }
        struct str other = labels_get(*added, l.name);
        if (other.n && !str_eq(other, l.value)) {
            return err_set(j->e->info, ERR_EXECUTION, "conflicting label: %.*s", STR_FMT(l.name));
        }
        if (labels_get(base, l.name).n == 0 && labels_with(j->e->a, *added, l.name, l.value, added)) {
            return eval_no_memory(j->e);
        }
    }
    return ERR_OK;
}

static bool may_stay_bare(const struct info_job *j)
{
    for (size_t i = 0; i < j->data_count; i++) {
        if (!matcher_matches_empty(&j->data[i])) {
            return false;
        }
    }
    return true;
}

/* The labels of a base series at a step. *ret_keep false: it has no info series and the selector wants one.
 */
static enum err labels_at(struct info_job *j, struct labels base, size_t from, size_t to, size_t step,
                          struct labels *ret_labels, bool *ret_keep)
{
    struct labels added = {0};
    bool found = false;
    enum err err = ERR_OK;
    for (size_t g = from; g < to && !err; g++) {
        int32_t w = j->groups[g].winner[step];
        if (w != NO_SERIES) {
            found = true;
            err = add_labels(j, base, j->info.s[w].labels, &added);
        }
    }
    *ret_keep = found || may_stay_bare(j);
    *ret_labels = base;
    for (size_t i = 0; i < added.n && !err; i++) {
        if (labels_with(j->e->a, *ret_labels, added.l[i].name, added.l[i].value, ret_labels)) {
            err = eval_no_memory(j->e);
        }
    }
    return err;
}

static bool same_winners(const struct info_job *j, size_t from, size_t to, size_t a, size_t b)
{
    for (size_t g = from; g < to; g++) {
        if (j->groups[g].winner[a] != j->groups[g].winner[b]) {
            return false;
        }
    }
    return true;
}

/* One base series becomes one row for each set of labels it gets over the steps. */
static enum err enrich(struct info_job *j, const struct series *s)
{
    struct eval *e = j->e;
    uint64_t key = id_key(s->labels);
    size_t from = 0, to, row = SIZE_MAX, first_row = j->out->n, last_step = SIZE_MAX;
    bool plain = is_info(j, s->labels), keep = true;
    while (from < j->group_count && j->groups[from].key < key) {
        from++;
    }
    for (to = from; to < j->group_count && j->groups[to].key == key; to++) {
    }
    to = plain ? from : to;
    enum err err = ERR_OK;
    for (size_t i = 0; i < e->steps && !err; i++) {
        if (!s->has[i]) {
            continue;
        }
        if (last_step == SIZE_MAX || !same_winners(j, from, to, last_step, i)) {
            struct labels ls = s->labels;
            keep = true;
            err = plain ? ERR_OK : labels_at(j, s->labels, from, to, i, &ls, &keep);
            for (row = first_row; !err && keep && row < j->out->n && !labels_eq(j->out->s[row].labels, ls);
                 row++) {
            }
            struct series *added = NULL;
            if (!err && keep && row == j->out->n) {
                err = value_add(e, j->out, ls, &added);
            }
        }
        last_step = i;
        if (!err && keep) {
            j->out->s[row].drops_name = s->drops_name;
            err = series_put(e, &j->out->s[row], i, (struct point){s->v[i], s->h ? s->h[i] : NULL});
        }
    }
    return err;
}

enum err call_info(struct eval *e, const struct node *n, struct value *v)
{
    struct value base = {0};
    struct info_job j = {.e = e, .call = n, .base = &base, .out = v};
    *v = (struct value){.type = TYPE_VECTOR};
    enum err err = eval_node(e, n->args[0], &base);
    err = err ? err : split_matchers(&j);
    err = err ? err : fetch_info(&j);
    err = err ? err : group_info(&j);
    for (size_t k = 0; k < base.n && !err; k++) {
        err = enrich(&j, &base.s[k]);
    }
    if (j.own_name) {
        matcher_done(&j.names[0]);
    }
    return err ? err : value_merge(e, v);
}
