/* Merging blocks of one tenant into one: streams in order of labels, their rows by time, equal times by age
 * of the block; a line that two blocks have is kept once. Each input is read once, front to back. */
#include "base/mem.h"
#include "disk/file.h"
#include "disk/map_guard.h"
#include "logs/store/store_int.h"

struct input_stream {
    struct labels labels; /* array in the arena, strings in the mapping */
    uint32_t rows;
};

struct input {
    struct block_reader reader;
    struct input_stream *streams;
    size_t n, cap, at;
    uint32_t left; /* rows of the stream being merged, the peeked one included */
    struct head_entry row;
};

struct merge {
    struct arena arena;
    struct input *inputs;
    size_t n;
    struct block_writer *w;
    struct err_info *info;
    /* keys of the rows of `dup_ts`, once more than one input has some */
    ts_ns dup_ts;
    struct hash128 *dup;
    size_t dup_n, dup_cap;
};

struct collecting {
    struct merge *m;
    struct input *in;
};

static enum err collect_stream(void *ctx, const struct block_stream *s)
{
    struct collecting *c = ctx;
    struct input *in = c->in;
    struct arena *a = &c->m->arena;
    enum err e = arena_reserve(a, (void **)&in->streams, &in->cap, in->n + 1, sizeof(*in->streams));
    struct label *l = e ? NULL : arena_array(a, s->labels.n + 1, sizeof(*l));
    if (!l) {
        return e ? e : arena_err(a);
    }
    memcpy(l, s->labels.l, s->labels.n * sizeof(*l));
    in->streams[in->n++] = (struct input_stream){{l, s->labels.n}, s->rows};
    return ERR_OK;
}

static enum err open_inputs(struct merge *m, struct block *const *blocks, size_t n)
{
    m->inputs = arena_zarray(&m->arena, n, sizeof(*m->inputs));
    enum err e = m->inputs ? ERR_OK : ERR_OOM;
    for (size_t i = 0; !e && i < n; i++) {
        struct collecting c = {m, &m->inputs[i]};
        block_reader_init(&m->inputs[i].reader, blocks[i]);
        m->n++;
        e = block_each_stream(blocks[i], collect_stream, &c, m->info);
    }
    return e;
}

/* The first stream that any input has next. */
static const struct input_stream *next_stream(const struct merge *m)
{
    const struct input_stream *first = NULL;
    for (size_t i = 0; i < m->n; i++) {
        const struct input *in = &m->inputs[i];
        if (in->at < in->n && (!first || labels_cmp(in->streams[in->at].labels, first->labels) < 0)) {
            first = &in->streams[in->at];
        }
    }
    return first;
}

static enum err peek(struct input *in)
{
    enum err e = in->left ? block_reader_next(&in->reader, &in->row) : ERR_OK;
    return e == ERR_NOT_FOUND ? ERR_CORRUPT : e;
}

static enum err seen_before(struct merge *m, const struct head_entry *row, bool contested, bool *ret_seen)
{
    *ret_seen = false;
    if (m->dup_ts != row->ts) {
        m->dup_n = 0;
        m->dup_ts = row->ts;
    }
    if (!contested && m->dup_n == 0) {
        return ERR_OK;
    }
    struct hash128 k = row_key(row);
    for (size_t i = 0; i < m->dup_n; i++) {
        if (m->dup[i].lo == k.lo && m->dup[i].hi == k.hi) {
            *ret_seen = true;
            return ERR_OK;
        }
    }
    enum err e = vec_reserve((void **)&m->dup, &m->dup_cap, m->dup_n + 1, sizeof(*m->dup));
    if (!e) {
        m->dup[m->dup_n++] = k;
    }
    return e;
}

/* The input whose row is next; *ret_contested when another has a row of the same time. */
static struct input *next_input(struct merge *m, bool *ret_contested)
{
    struct input *best = NULL;
    *ret_contested = false;
    for (size_t i = 0; i < m->n; i++) {
        struct input *in = &m->inputs[i];
        if (!in->left || (best && in->row.ts > best->row.ts)) {
            continue;
        }
        *ret_contested = best && in->row.ts == best->row.ts;
        if (!*ret_contested) {
            best = in;
        }
    }
    return best;
}

static enum err merge_rows(struct merge *m)
{
    bool contested = false;
    for (struct input *in; (in = next_input(m, &contested)) != NULL;) {
        bool seen;
        enum err e = seen_before(m, &in->row, contested, &seen);
        e = e || seen ? e : block_writer_row(m->w, &in->row, m->info);
        if (!e) {
            in->left--;
            e = peek(in);
        }
        if (e) {
            return e;
        }
    }
    return ERR_OK;
}

static enum err merge_stream(struct merge *m, struct labels labels)
{
    enum err e = block_writer_stream(m->w, labels, m->info);
    m->dup_n = 0;
    for (size_t i = 0; !e && i < m->n; i++) {
        struct input *in = &m->inputs[i];
        if (in->at < in->n && labels_eq(in->streams[in->at].labels, labels)) {
            in->left = in->streams[in->at++].rows;
            e = peek(in);
        }
    }
    return e ? e : merge_rows(m);
}

static enum err run(struct merge *m, struct log_store *s, struct block *const *blocks, size_t n,
                    struct block **ret_b)
{
    struct buf path AUTO_BUF = {0};
    struct str name = {0};
    uint64_t number = 0, rows = 0;
    enum err e = open_inputs(m, blocks, n);
    e = e ? e : blocks_new_path(s, blocks[0]->tenant, &path, &name, &number);
    e = e ? e
          : block_writer_new(path.p, blocks[0]->tenant, blocks[0]->level + 1, s->o.group_bytes, &m->w,
                             m->info);
    for (const struct input_stream *x; !e && (x = next_stream(m)) != NULL;) {
        e = merge_stream(m, x->labels);
    }
    if (e) {
        block_writer_abort(m->w);
        return e;
    }
    e = log_block_writer_finish(m->w, &rows, m->info);
    return e ? e : log_block_open(path.p, name, number, ret_b, m->info);
}

/* Whatever is damaged stays as it is, for what of it can be read. */
static void find_damaged(struct block *const *blocks, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        blocks[i]->unmergeable |= atomic_load_explicit(&blocks[i]->bad_groups, memory_order_relaxed) > 0;
    }
}

enum err store_merge(struct log_store *s, struct block *const *blocks, size_t n, struct err_info *info)
{
    struct merge m = {.info = info, .dup_ts = INT64_MIN};
    struct block *fresh = NULL;
    arena_init(&m.arena, 0, NULL);
    uint64_t failures = file_map_failures();
    enum err e = run(&m, s, blocks, n, &fresh);
    if (e == ERR_OK && file_map_failures() != failures) { /* zeros may stand where lines should */
        log_block_unref(fresh);
        e = ERR_CORRUPT;
    }
    for (size_t i = 0; i < m.n; i++) {
        block_reader_done(&m.inputs[i].reader);
    }
    mem_free(m.dup);
    arena_done(&m.arena);
    if (!e) {
        struct block_change ch = {.gone = blocks, .gone_n = n, .fresh = &fresh, .fresh_n = 1};
        e = blocks_change(s, &ch, info);
        if (e) {
            log_block_unref(fresh);
        }
    }
    if (e == ERR_CORRUPT) {
        find_damaged(blocks, n);
        blocks[0]->unmergeable = true;
        return err_set(info, e, "blocks of %s are not merged: one of them is damaged", s->dir);
    }
    return e ? err_set(info, e, "%s", info && info->message[0] ? info->message : err_text(e)) : ERR_OK;
}
