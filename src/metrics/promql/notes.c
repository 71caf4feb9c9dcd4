/* Annotations: what a query wants to say besides its result. Rare, so a plain list; sums over the whole query
 * are kept for the few annotations that carry quantities. */
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "codec/num.h"
#include "metrics/promql/eval.h"

enum {
    SHOWN_MAX = 10,
    KEPT_MAX = 2000 /* distinct texts of one query; later ones are dropped */
};

struct note_entry {
    struct str text;
    size_t pos;
    bool warning;
    struct note_detail detail;
};

struct str metric_name(struct labels ls)
{
    return labels_get(ls, LABEL_METRIC_NAME);
}

struct str note_quoted(struct eval *e, struct buf *b, struct str name)
{
    struct str shown = quoted(b, name);
    e->notes->failed = b->err ? b->err : e->notes->failed;
    return shown;
}

static void merge_detail(struct note_detail *into, const struct note_detail *d)
{
    into->first = d->first < into->first ? d->first : into->first;
    into->last = d->last > into->last ? d->last : into->last;
    into->low = d->low < into->low ? d->low : into->low;
    into->high = d->high > into->high ? d->high : into->high;
    into->diff = d->diff > into->diff ? d->diff : into->diff;
    into->count += d->count;
}

static void add(struct eval *e, bool warning, size_t pos, const struct note_detail *d, struct str text)
{
    struct notes *n = e->notes;
    for (size_t i = 0; i < n->n; i++) {
        if (n->entries[i].warning == warning && str_eq(n->entries[i].text, text)) {
            if (!d->buckets && !n->entries[i].detail.buckets) { /* of those, the first place stays */
                n->entries[i].pos = pos;
            }
            merge_detail(&n->entries[i].detail, d);
            return;
        }
    }
    if (n->n >= KEPT_MAX) {
        return;
    }
    struct str kept = arena_str(e->a, text);
    if (!kept.p || arena_reserve(e->a, (void **)&n->entries, &n->cap, n->n + 1, sizeof(*n->entries))) {
        n->failed = ERR_OOM;
        return;
    }
    n->entries[n->n++] = (struct note_entry){kept, pos, warning, *d};
}

void note(struct eval *e, bool warning, size_t pos, const char *fmt, ...)
{
    static const struct note_detail none = {0};
    char text[700];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    add(e, warning, pos, &none, str_of(text, n < (int)sizeof(text) ? (size_t)n : sizeof(text) - 1));
}

void note_detailed(struct eval *e, bool warning, size_t pos, const struct note_detail *d, const char *fmt,
                   ...)
{
    char text[700];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    add(e, warning, pos, d, str_of(text, n < (int)sizeof(text) ? (size_t)n : sizeof(text) - 1));
}

void notes_of_cursor(struct eval *e, struct metric_cursor *cursor)
{
    static const struct note_detail storage = {.storage = true};
    struct str_list list = e->source->ops->warnings ? e->source->ops->warnings(cursor) : (struct str_list){0};
    for (size_t i = 0; i < list.n; i++) {
        add(e, true, 0, &storage, list.items[i]);
    }
}

void notes_tell(struct eval *e, const struct notes *from, size_t pos, size_t to)
{
    e->notes->failed = from->failed ? from->failed : e->notes->failed;
    for (size_t i = 0; i < from->n; i++) {
        const struct note_entry *n = &from->entries[i];
        add(e, n->warning, n->pos >= pos ? n->pos - pos + to : n->pos, &n->detail, n->text);
    }
}

bool notes_at_0(const struct notes *n)
{
    bool any = false;
    for (size_t i = 0; i < n->n; i++) {
        any |= n->entries[i].pos == 0;
    }
    return any;
}

void note_ignored_histograms(const struct window *w)
{
    struct buf shown AUTO_BUF = {0};
    if (w->histogram_count && w->n && w->call) {
        note(w->e, false, argument_pos(w->call),
             "ignored histograms in a range containing both floats and histograms for metric name %.*s",
             STR_FMT(note_quoted(w->e, &shown, metric_name(w->labels))));
    }
}

void note_bad_quantile(struct eval *e, size_t pos, double q)
{
    char text[NUM_F64_BYTES_MAX];
    size_t n = num_f64_format(text, q, 'g');
    note(e, true, pos, "quantile value should be between 0 and 1, got %.*s", (int)n, text);
}

/* -- shown ----------------------------------------------------------------------------------------------- */

static void put_place(struct buf *b, struct str text, size_t pos)
{
    unsigned line = 1, col = 1;
    for (size_t i = 0; i < pos && i < text.n; i++) {
        col = text.p[i] == '\n' ? 1 : col + 1;
        line += text.p[i] == '\n';
    }
    buf_printf(b, " (%u:%u)", line, col);
}

static void put_g(struct buf *b, double v)
{
    char text[NUM_F64_BYTES_MAX];
    buf_append(b, text, num_f64_format(text, v, 'g'));
}

static void put_time(struct buf *b, ts_ms t)
{
    struct tm tm;
    time_t seconds = (time_t)(t / 1000);
    char text[64];
    if (gmtime_r(&seconds, &tm) && strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm)) {
        buf_c(b, text);
    }
}

static void put_buckets(struct buf *b, const struct note_detail *d)
{
    buf_c(b, ", from buckets ");
    put_g(b, d->low);
    buf_c(b, " to ");
    put_g(b, d->high);
    buf_printf(b, ", with a max diff of %.2g, over %lld samples from ", d->diff, (long long)d->count);
    put_time(b, d->first);
    buf_c(b, " to ");
    put_time(b, d->last);
}

static struct str shown(struct eval *e, const struct note_entry *n)
{
    struct buf b AUTO_BUF = {0};
    if (n->detail.storage) {
        return arena_str(e->a, n->text);
    }
    buf_printf(&b, "PromQL %s: %.*s", n->warning ? "warning" : "info", STR_FMT(n->text));
    if (n->detail.buckets) {
        put_buckets(&b, &n->detail);
    } else if (n->detail.occurrences && n->detail.count > 1) {
        buf_printf(&b, " (%llu occurrences)", (unsigned long long)n->detail.count);
    }
    put_place(&b, e->text, n->pos);
    return b.err ? (struct str){0} : arena_str(e->a, buf_view(&b));
}

static enum err finish_kind(struct eval *e, bool warning, const struct str **ret_list, size_t *ret_n)
{
    const struct notes *notes = e->notes;
    struct str *list = arena_array(e->a, SHOWN_MAX + 1, sizeof(*list));
    size_t n = 0, skipped = 0;
    bool whole = list != NULL;
    for (size_t i = 0; i < notes->n && whole; i++) {
        if (notes->entries[i].warning != warning) {
            continue;
        }
        if (n == SHOWN_MAX) {
            skipped++;
            continue;
        }
        list[n] = shown(e, &notes->entries[i]);
        whole = list[n++].p != NULL;
    }
    if (whole && skipped) {
        list[n] =
            arena_printf(e->a, "%zu more %s annotations omitted", skipped, warning ? "warning" : "info");
        whole = list[n++].p != NULL;
    }
    *ret_list = list;
    *ret_n = n;
    return whole ? ERR_OK : eval_no_memory(e);
}

enum err notes_finish(struct eval *e, struct promql_result *out)
{
    if (e->notes->failed) {
        return eval_no_memory(e);
    }
    enum err err = finish_kind(e, true, &out->warnings, &out->warning_count);
    return err ? err : finish_kind(e, false, &out->infos, &out->info_count);
}
