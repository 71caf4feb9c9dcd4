/* Lines into samples. A series is known again by its text, so that labels are parsed once per load. */
#include "metrics/dump/dump_read.h"

#include <stdio.h>

#include "base/mem.h"
#include "base/strmap.h"
#include "metrics/dump/dump_input.h"
#include "metrics/dump/limits.h"

struct dump {
    const struct dump_target *to;
    struct exposition_parser parser;
    struct arena scratch; /* of a window */
    struct strmap series; /* text of a series -> its number in the load, plus one */
    struct arena side;    /* what waits in the two arrays */
    struct sink_exemplar *exemplars;
    struct sink_series *exemplar_series; /* one each */
    size_t exemplar_count;
    struct sink_metadata *metadata;
    size_t metadata_count;
};

static enum err no_memory(struct err_info *info)
{
    return err_set(info, ERR_OOM, "no memory to read the dump");
}

/* -- exemplars and metadata ------------------------------------------------------------------------------ */

static enum err side_new(struct dump *d)
{
    d->exemplar_count = d->metadata_count = 0;
    d->exemplars = arena_array(&d->side, DUMP_SIDE_MAX, sizeof(*d->exemplars));
    d->exemplar_series = arena_array(&d->side, DUMP_SIDE_MAX, sizeof(*d->exemplar_series));
    d->metadata = arena_array(&d->side, DUMP_SIDE_MAX, sizeof(*d->metadata));
    return d->exemplars && d->exemplar_series && d->metadata ? ERR_OK : ERR_OOM;
}

static enum err side_flush(struct dump *d, struct err_info *info)
{
    struct sink_batch b = {.tenant = d->to->tenant,
                           .series = d->exemplar_series,
                           .series_count = d->exemplar_count,
                           .exemplars = d->exemplars,
                           .exemplar_count = d->exemplar_count,
                           .metadata = d->metadata,
                           .metadata_count = d->metadata_count};
    struct sink_result r;
    enum err e = ERR_OK;
    if (d->exemplar_count + d->metadata_count) {
        e = d->to->sink->ops->append(d->to->sink, &b, &r, info);
    }
    arena_reset(&d->side);
    return e == ERR_OK && side_new(d) != ERR_OK ? no_memory(info) : e;
}

/* The row of the family; a dump has TYPE, HELP and UNIT of one side by side. */
static enum err metadata_note(struct dump *d, enum exposition_event event, const struct exposition_item *item,
                              struct err_info *info)
{
    struct sink_metadata *row = d->metadata_count ? &d->metadata[d->metadata_count - 1] : NULL;
    if (!row || !str_eq(row->metric, item->metric)) {
        enum err e = d->metadata_count == DUMP_SIDE_MAX ? side_flush(d, info) : ERR_OK;
        if (e != ERR_OK) {
            return e;
        }
        row = &d->metadata[d->metadata_count++];
        *row = (struct sink_metadata){.metric = arena_str(&d->side, item->metric), .type = STR("unknown")};
    }
    struct str text = arena_str(&d->side, item->text);
    *(event == EXPOSITION_TYPE ? &row->type : event == EXPOSITION_HELP ? &row->help : &row->unit) = text;
    return text.p && row->metric.p ? ERR_OK : no_memory(info);
}

/* Labels as written, with those that every series gets, sorted. */
static enum err labels_parse(struct dump *d, struct arena *a, struct str raw, bool extra,
                             struct labels *ret_labels, struct err_info *info)
{
    const struct wire_label *in = NULL;
    size_t n = 0, given = 0;
    enum err e = exposition_labels(a, raw, &in, &given, info);
    struct label *l = e == ERR_OK ? arena_array(a, given + d->to->label_count + 1, sizeof(*l)) : NULL;
    if (!l) {
        return e == ERR_OK ? no_memory(info) : e;
    }
    for (; n < given; n++) {
        l[n] = (struct label){in[n].name, in[n].value};
    }
    for (size_t i = 0; extra && i < d->to->label_count; i++) {
        bool there = false;
        for (size_t k = 0; k < given; k++) {
            there = there || str_eq(in[k].name, d->to->labels[i].name);
        }
        if (!there) {
            l[n++] = d->to->labels[i];
        }
    }
    e = labels_normalise(l, &n, info);
    *ret_labels = (struct labels){l, n};
    return e;
}

static enum err exemplar_note(struct dump *d, const struct exposition_item *item, struct err_info *info)
{
    struct labels series = {0}, own = {0};
    enum err e = d->exemplar_count == DUMP_SIDE_MAX ? side_flush(d, info) : ERR_OK;
    struct str raw = arena_str(&d->side, item->raw), labels = arena_str(&d->side, item->exemplar_raw);
    if (e == ERR_OK && (!raw.p || !labels.p)) {
        return no_memory(info);
    }
    e = e == ERR_OK ? labels_parse(d, &d->side, raw, true, &series, info) : e;
    e = e == ERR_OK ? labels_parse(d, &d->side, labels, false, &own, info) : e;
    if (e == ERR_OK) {
        d->exemplar_series[d->exemplar_count] = (struct sink_series){.labels = series};
        d->exemplars[d->exemplar_count] =
            (struct sink_exemplar){.series_index = (uint32_t)d->exemplar_count,
                                   .labels = own,
                                   .value = item->exemplar_value,
                                   .ts = item->exemplar_has_ts ? item->exemplar_ts : item->ts};
        d->exemplar_count++;
    }
    return e;
}

/* -- samples --------------------------------------------------------------------------------------------- */

static enum err series_of(struct dump *d, struct str raw, uint32_t *ret_series, struct err_info *info)
{
    struct labels ls = {0};
    uintptr_t known = (uintptr_t)strmap_get(&d->series, raw);
    if (known) {
        *ret_series = (uint32_t)(known - 1);
        return ERR_OK;
    }
    enum err e = labels_parse(d, &d->scratch, raw, true, &ls, info);
    e = e == ERR_OK ? tsdb_bulk_series(d->to->bulk, ls, ret_series, info) : e;
    if (e == ERR_OK && strmap_put(&d->series, raw, (void *)((uintptr_t)*ret_series + 1), NULL) != ERR_OK) {
        e = no_memory(info);
    }
    return e;
}

static enum err sample_add(struct dump *d, const struct exposition_item *item, struct err_info *info)
{
    uint32_t series = 0;
    if (!item->has_ts) {
        return err_set(info, ERR_INVALID, "the sample of %.*s has no timestamp: it has no place in the past",
                       STR_FMT(item->raw));
    }
    struct tsdb_bulk_sample s = {.ts = item->ts, .start_ts = item->start_ts, .value = item->value};
    enum err e = series_of(d, item->raw, &series, info);
    e = e == ERR_OK ? tsdb_bulk_add(d->to->bulk, series, &s, 1, info) : e;
    e = e == ERR_OK && item->has_exemplar ? exemplar_note(d, item, info) : e;
    if (e == ERR_OK && tsdb_bulk_full(d->to->bulk)) {
        e = tsdb_bulk_write(d->to->bulk, info);
        strmap_clear(&d->series, NULL);
    }
    return e;
}

/* What tells the formats apart is the unit of the timestamps, so the wrong one must not pass. */
static enum err comment_check(const struct dump *d, size_t from, struct err_info *info)
{
    struct str line = str_trim(str_slice(d->parser.text, from, d->parser.pos));
    return str_eq(line, STR("# EOF"))
               ? err_set(info, ERR_INVALID,
                         "\"# EOF\" ends an OpenMetrics dump, whose timestamps are seconds: import it as "
                         "openmetrics")
               : ERR_OK;
}

/* -- what a line is that cannot be read ------------------------------------------------------------------ */

/* Files of other kinds, by their first bytes. */
static const char *kind_of_file(struct str line)
{
    static const struct {
        struct str head;
        const char *what;
    } kinds[] = {
        {STR_INIT("\xfd"
                  "7zXZ"),
         "it is compressed by xz, and gzip and zstd are read: xz -dc FILE, piped into an import of \"-\""},
        {STR_INIT("BZh"), "it is compressed by bzip2, and gzip and zstd are read: bzip2 -dc FILE, piped into "
                          "an import of \"-\""},
        {STR_INIT("PK\x03\x04"), "it is a zip archive: unzip -p FILE, piped into an import of \"-\""},
        {STR_INIT("\xff\xfe"), "it is UTF-16: iconv -f UTF-16 -t UTF-8 FILE, piped into an import of \"-\""},
    };
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (str_starts(line, kinds[i].head)) {
            return kinds[i].what;
        }
    }
    return NULL;
}

/* Adds to the message what cures a line that the eye takes for a good one. */
static enum err explain(const struct dump *d, size_t from, enum err e, struct err_info *info)
{
    struct str rest = str_slice(d->parser.text, from, d->parser.text.n);
    struct str line = str_cut(&rest, '\n');
    const char *cure = d->parser.line <= 1 ? kind_of_file(line)
                       : d->parser.format == EXPOSITION_TEXT || line.n
                           ? NULL
                           : "an empty line, which OpenMetrics has not: take it out";
    if (!cure && line.n && line.p[line.n - 1] == '\r') {
        cure = "the lines end with CR LF: tr -d '\\r' <FILE, piped into an import of \"-\"";
    }
    if (cure && info && e == ERR_INVALID) {
        char what[300];
        unsigned at = info->line, col = info->col;
        (void)snprintf(what, sizeof(what), "%.299s", info->message);
        return err_set_at(info, e, at, col, "%s (%s)", what, cure);
    }
    return e;
}

static enum err window_read(struct dump *d, struct err_info *info)
{
    enum err e = ERR_OK;
    size_t from = 0;
    while (e == ERR_OK && d->parser.pos < d->parser.text.n) {
        enum exposition_event event = EXPOSITION_END;
        struct exposition_item item;
        from = d->parser.pos;
        e = exposition_next(&d->parser, &d->scratch, &event, &item, info);
        if (e != ERR_OK || event == EXPOSITION_END) {
            break;
        }
        e = event == EXPOSITION_SAMPLE    ? sample_add(d, &item, info)
            : event == EXPOSITION_COMMENT ? comment_check(d, from, info)
                                          : metadata_note(d, event, &item, info);
    }
    return e == ERR_OK ? e : explain(d, from, e, info);
}

static enum err lines_read(struct dump *d, struct dump_input *in, struct err_info *info)
{
    enum err e = ERR_OK;
    for (;;) {
        struct str lines = {0};
        e = dump_input_next(in, &lines, info);
        if (e != ERR_OK || lines.n == 0) {
            break;
        }
        if (d->parser.eof_seen) {
            return err_set(info, ERR_INVALID, "unexpected data after # EOF");
        }
        d->parser.text = lines;
        d->parser.pos = 0;
        e = window_read(d, info);
        arena_reset(&d->scratch);
        if (e != ERR_OK) {
            break;
        }
        if (d->to->progress) {
            d->to->progress(d->to->ctx, in->raw_bytes, in->file_bytes);
        }
    }
    if (e == ERR_OK && d->parser.format == EXPOSITION_OPENMETRICS && !d->parser.eof_seen) {
        return err_set(info, ERR_INVALID, "data does not end with # EOF: the dump was cut off");
    }
    return e;
}

enum err dump_read(const struct dump_target *t, const char *path, enum exposition_format format,
                   struct err_info *reterr_info)
{
    struct dump d = {.to = t};
    struct dump_input in;
    arena_init(&d.scratch, 0, NULL);
    arena_init(&d.side, 0, NULL);
    exposition_init(&d.parser, format, STR(""));
    d.parser.starts_inline = true;
    enum err e = dump_input_open(&in, path, reterr_info);
    if (e == ERR_OK) {
        e = side_new(&d) == ERR_OK ? lines_read(&d, &in, reterr_info) : no_memory(reterr_info);
        enum err side = e == ERR_OK ? side_flush(&d, reterr_info) : ERR_OK;
        e = e == ERR_OK ? side : e;
        dump_input_done(&in);
    }
    strmap_clear(&d.series, NULL);
    strmap_done(&d.series);
    arena_done(&d.scratch);
    arena_done(&d.side);
    if (e != ERR_OK && reterr_info) {
        err_in_file(reterr_info, path);
        reterr_info->line = reterr_info->line ? reterr_info->line : d.parser.line;
    }
    return e;
}
