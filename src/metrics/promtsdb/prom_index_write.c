/* Chunk files and index of a block: series in the order of their labels, chunks in the order of the series,
 * postings of every label pair. Label indices, which no version since 2.12 reads, are left empty as
 * Prometheus itself leaves them. */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "codec/crc32c.h"
#include "codec/varint.h"
#include "disk/file.h"
#include "metrics/promtsdb/prom_block_write_int.h"

/* -- chunk files ----------------------------------------------------------------------------------------- */

struct segments {
    const char *folder; /* of the block */
    struct prom_out out;
    unsigned count;
    struct err_info *info;
};

static enum err segment_begin(struct segments *g)
{
    char path[PROM_PATH_BYTES];
    static const char rest[] = {PROM_CHUNKS_VERSION, 0, 0, 0};
    if (g->count) {
        enum err e = prom_out_finish(&g->out, true);
        if (e != ERR_OK) {
            return e;
        }
        prom_out_done(&g->out);
    }
    g->count++;
    (void)snprintf(path, sizeof(path), "%s/" PROM_CHUNKS_DIR "/%06u", g->folder, g->count);
    enum err e = prom_out_open(&g->out, path, g->info);
    prom_out_be32(&g->out, PROM_CHUNKS_MAGIC);
    prom_out_bytes(&g->out, rest, sizeof(rest));
    return e;
}

/* Encoding byte and data go to a chunk file; *ret_ref says where. */
static enum err chunk_write(struct segments *g, struct str chunk, uint64_t *ret_ref)
{
    if (g->count == 0 || g->out.at + chunk.n + 16 > PROM_CHUNKS_FILE_BYTES_MAX) {
        enum err e = segment_begin(g);
        if (e != ERR_OK) {
            return e;
        }
    }
    *ret_ref = (uint64_t)(g->count - 1) << 32 | g->out.at;
    prom_out_uvarint(&g->out, chunk.n - 1); /* without the encoding byte */
    prom_out_crc_begin(&g->out);
    prom_out_bytes(&g->out, chunk.p, chunk.n);
    prom_out_crc_end(&g->out);
    return g->out.err;
}

/* -- order of series ------------------------------------------------------------------------------------- */

/* Ranks of pairs compare as the labels do: by name, then value, and what ends first comes first. */
static int series_cmp(const void *a, const void *b, void *ctx)
{
    const struct prom_block_writer *w = ctx;
    const struct prom_waiting *x = a, *y = b;
    for (uint32_t i = 0; i < x->pair_count && i < y->pair_count; i++) {
        uint32_t p = w->symbols.pair_rank[w->pair_numbers[x->pairs + i]];
        uint32_t q = w->symbols.pair_rank[w->pair_numbers[y->pairs + i]];
        if (p != q) {
            return (p > q) - (p < q);
        }
    }
    return (x->pair_count > y->pair_count) - (x->pair_count < y->pair_count);
}

/* -- index ----------------------------------------------------------------------------------------------- */

struct index_writer {
    struct prom_block_writer *w;
    struct prom_out out;
    struct segments segments;
    struct str waiting;
    uint64_t toc[PROM_TOC_ENTRIES];
    struct buf entry;   /* of one series */
    uint32_t *ids;      /* of all series, in order */
    uint32_t *postings; /* ids of the series of each pair, one pair after the other, by rank */
    size_t *first;      /* of each pair in postings, by rank */
    uint64_t *offsets;  /* of each pair's list in the file, by rank */
    struct err_info *info;
};

static enum err too_large(const struct index_writer *x, const char *what)
{
    return err_set(x->info, ERR_LIMIT, "%s do not fit in the index of one block: export shorter spans", what);
}

/* Length, content summed, checksum. */
static void section_begin(struct index_writer *x, uint64_t bytes)
{
    prom_out_be32(&x->out, (uint32_t)bytes);
    prom_out_crc_begin(&x->out);
}

static size_t uvarint_str_bytes(struct str s)
{
    return varint_len(s.n) + s.n;
}

static void out_str(struct prom_out *out, struct str s)
{
    prom_out_uvarint(out, s.n);
    prom_out_bytes(out, s.p, s.n);
}

static enum err symbols_write(struct index_writer *x)
{
    const struct prom_symbols *s = &x->w->symbols;
    uint64_t bytes = 4;
    for (size_t i = 0; i < s->count; i++) {
        bytes += uvarint_str_bytes(s->strings[i]);
    }
    if (bytes > UINT32_MAX) {
        return too_large(x, "the texts of the labels");
    }
    x->toc[PROM_TOC_SYMBOLS] = x->out.at;
    section_begin(x, bytes);
    prom_out_be32(&x->out, (uint32_t)s->count);
    for (size_t i = 0; i < s->count; i++) {
        out_str(&x->out, s->strings[s->order[i]]);
    }
    prom_out_crc_end(&x->out);
    return x->out.err;
}

/* The entry's part about chunks, which are moved to the chunk files on the way. */
static enum err series_chunks(struct index_writer *x, const struct prom_waiting *s)
{
    struct reader r = reader_of(str_of(x->waiting.p + s->at, s->bytes));
    ts_ms max = 0;
    uint64_t before = 0;
    write_varint(&x->entry, s->chunks);
    for (uint32_t i = 0; i < s->chunks; i++) {
        ts_ms min = read_zigzag(&r);
        uint64_t span = read_varint(&r), bytes = read_varint(&r), ref = 0;
        struct str chunk = read_bytes(&r, bytes + 1);
        if (r.bad) {
            return err_set(x->info, ERR_INTERNAL, "the waiting chunks of a series are damaged");
        }
        enum err e = chunk_write(&x->segments, chunk, &ref);
        if (e != ERR_OK) {
            return e;
        }
        if (i == 0) {
            write_zigzag(&x->entry, min);
            write_varint(&x->entry, span);
            write_varint(&x->entry, ref);
        } else {
            write_varint(&x->entry, (uint64_t)min - (uint64_t)max);
            write_varint(&x->entry, span);
            write_zigzag(&x->entry, (int64_t)(ref - before));
        }
        max = min + (ts_ms)span;
        before = ref;
    }
    return ERR_OK;
}

static enum err series_write(struct index_writer *x, size_t at)
{
    const struct prom_block_writer *w = x->w;
    const struct prom_waiting *s = &w->series[at];
    buf_reset(&x->entry);
    write_varint(&x->entry, s->pair_count);
    for (uint32_t i = 0; i < s->pair_count; i++) {
        const struct prom_label_pair *p = &w->symbols.pairs[w->pair_numbers[s->pairs + i]];
        write_varint(&x->entry, w->symbols.rank[p->name]);
        write_varint(&x->entry, w->symbols.rank[p->value]);
    }
    enum err e = series_chunks(x, s);
    if (e == ERR_OK && x->entry.err != ERR_OK) {
        e = err_set(x->info, x->entry.err, "no memory to write an index");
    }
    if (e != ERR_OK) {
        return e;
    }
    prom_out_pad(&x->out, PROM_INDEX_SERIES_ALIGN);
    if (x->out.at / PROM_INDEX_SERIES_ALIGN > UINT32_MAX) {
        return too_large(x, "so many series");
    }
    x->ids[at] = (uint32_t)(x->out.at / PROM_INDEX_SERIES_ALIGN);
    prom_out_uvarint(&x->out, x->entry.n);
    prom_out_crc_begin(&x->out);
    prom_out_bytes(&x->out, x->entry.p, x->entry.n);
    prom_out_crc_end(&x->out);
    return x->out.err;
}

static enum err all_series_write(struct index_writer *x)
{
    x->toc[PROM_TOC_SERIES] = x->out.at;
    enum err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < x->w->series_count; i++) {
        e = series_write(x, i);
    }
    if (e == ERR_OK && x->segments.count) {
        e = prom_out_finish(&x->segments.out, true);
    }
    return e;
}

/* -- postings -------------------------------------------------------------------------------------------- */

static enum err postings_collect(struct index_writer *x)
{
    const struct prom_block_writer *w = x->w;
    size_t pairs = w->symbols.pair_count;
    x->postings = mem_array(w->pair_numbers_count + 1, sizeof(*x->postings));
    x->first = mem_zarray(pairs + 2, sizeof(*x->first));
    x->offsets = mem_array(pairs + 1, sizeof(*x->offsets));
    if (!x->postings || !x->first || !x->offsets) {
        return err_set(x->info, ERR_OOM, "no memory to write an index");
    }
    for (size_t i = 0; i < w->pair_numbers_count; i++) {
        x->first[w->symbols.pair_rank[w->pair_numbers[i]] + 2]++;
    }
    for (size_t i = 0; i < pairs; i++) {
        x->first[i + 2] += x->first[i + 1];
    }
    /* first[rank + 1] moves from the begin of the list to its end, where the next one begins */
    for (size_t i = 0; i < w->series_count; i++) {
        const struct prom_waiting *s = &w->series[i];
        for (uint32_t k = 0; k < s->pair_count; k++) {
            uint32_t rank = w->symbols.pair_rank[w->pair_numbers[s->pairs + k]];
            x->postings[x->first[rank + 1]++] = x->ids[i];
        }
    }
    return ERR_OK;
}

static uint64_t list_write(struct index_writer *x, const uint32_t *ids, size_t n)
{
    prom_out_pad(&x->out, 4);
    uint64_t at = x->out.at;
    section_begin(x, 4 + 4 * (uint64_t)n);
    prom_out_be32(&x->out, (uint32_t)n);
    for (size_t i = 0; i < n; i++) {
        prom_out_be32(&x->out, ids[i]);
    }
    prom_out_crc_end(&x->out);
    return at;
}

static void table_entry(struct prom_out *out, struct str name, struct str value, uint64_t offset)
{
    prom_out_uvarint(out, 2);
    out_str(out, name);
    out_str(out, value);
    prom_out_uvarint(out, offset);
}

static enum err postings_table_write(struct index_writer *x, uint64_t all)
{
    const struct prom_symbols *s = &x->w->symbols;
    uint64_t bytes = 4 + 3 + varint_len(all);
    for (size_t i = 0; i < s->pair_count; i++) {
        uint32_t pair = s->pair_order[i];
        bytes += 1 + uvarint_str_bytes(prom_symbols_name(s, pair)) +
                 uvarint_str_bytes(prom_symbols_value(s, pair)) + varint_len(x->offsets[i]);
    }
    if (bytes > UINT32_MAX) {
        return too_large(x, "so many label values");
    }
    x->toc[PROM_TOC_LABEL_INDICES_TABLE] = x->toc[PROM_TOC_POSTINGS_TABLE] = x->out.at;
    section_begin(x, bytes);
    prom_out_be32(&x->out, (uint32_t)s->pair_count + 1);
    table_entry(&x->out, STR(""), STR(""), all);
    for (size_t i = 0; i < s->pair_count; i++) {
        uint32_t pair = s->pair_order[i];
        table_entry(&x->out, prom_symbols_name(s, pair), prom_symbols_value(s, pair), x->offsets[i]);
    }
    prom_out_crc_end(&x->out);
    return x->out.err;
}

static enum err postings_write(struct index_writer *x)
{
    enum err e = postings_collect(x);
    if (e != ERR_OK) {
        return e;
    }
    x->toc[PROM_TOC_LABEL_INDICES] = x->toc[PROM_TOC_POSTINGS] = x->out.at;
    uint64_t all = list_write(x, x->ids, x->w->series_count);
    for (size_t i = 0; i < x->w->symbols.pair_count; i++) {
        x->offsets[i] = list_write(x, x->postings + x->first[i], x->first[i + 1] - x->first[i]);
    }
    return postings_table_write(x, all);
}

static enum err toc_write(struct index_writer *x)
{
    prom_out_crc_begin(&x->out);
    for (size_t i = 0; i < PROM_TOC_ENTRIES; i++) {
        prom_out_be64(&x->out, x->toc[i]);
    }
    prom_out_crc_end(&x->out);
    return prom_out_finish(&x->out, true);
}

static enum err parts_write(struct index_writer *x)
{
    char path[PROM_PATH_BYTES];
    struct prom_block_writer *w = x->w;
    x->ids = mem_array(w->series_count + 1, sizeof(*x->ids));
    if (!x->ids || prom_symbols_rank(&w->symbols) != ERR_OK) {
        return err_set(x->info, ERR_OOM, "no memory to write an index");
    }
    qsort_r(w->series, w->series_count, sizeof(*w->series), series_cmp, w);
    (void)snprintf(path, sizeof(path), "%s/" PROM_CHUNKS_DIR, w->tmp);
    enum err e = dir_make(path, x->info);
    (void)snprintf(path, sizeof(path), "%s/" PROM_INDEX_FILE, w->tmp);
    e = e == ERR_OK ? prom_out_open(&x->out, path, x->info) : e;
    if (e != ERR_OK) {
        return e;
    }
    prom_out_be32(&x->out, PROM_INDEX_MAGIC);
    prom_out_bytes(&x->out, &(char){PROM_INDEX_V2}, 1);
    e = symbols_write(x);
    e = e == ERR_OK ? all_series_write(x) : e;
    e = e == ERR_OK ? postings_write(x) : e;
    return e == ERR_OK ? toc_write(x) : e;
}

enum err prom_index_write(struct prom_block_writer *w, struct str waiting, unsigned *ret_segments,
                          struct err_info *info)
{
    struct index_writer x = {.w = w,
                             .out = {.fd = -1},
                             .segments = {.folder = w->tmp, .out = {.fd = -1}, .info = info},
                             .waiting = waiting,
                             .info = info};
    enum err e = parts_write(&x);
    *ret_segments = x.segments.count;
    prom_out_done(&x.out);
    prom_out_done(&x.segments.out);
    buf_done(&x.entry);
    mem_free(x.ids);
    mem_free(x.postings);
    mem_free(x.first);
    mem_free(x.offsets);
    return e;
}
