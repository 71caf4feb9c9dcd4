/* meta.json: which span a block has, and which blocks it replaces. */
#include <stdio.h>

#include "base/mem.h"
#include "codec/json.h"
#include "metrics/promtsdb/prom_block.h"

enum {
    META_BYTES_MAX = 16 << 20 /* a block of years has some thousand sources of 30 bytes */
};

bool prom_ulid_is(struct str name)
{
    if (name.n != PROM_ULID_BYTES || name.p[0] < '0' || name.p[0] > '7') {
        return false;
    }
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool digit = c >= '0' && c <= '9';
        bool letter = c >= 'A' && c <= 'Z' && c != 'I' && c != 'L' && c != 'O' && c != 'U';
        if (!digit && !letter) {
            return false;
        }
    }
    return true;
}

void prom_meta_done(struct prom_meta *m)
{
    mem_free(m->parents);
    *m = (struct prom_meta){0};
}

static uint64_t count_of(const struct json_value *stats, struct str key)
{
    int64_t v = 0;
    const struct json_value *j = json_get(stats, key);
    return j && json_to_i64(j, &v) == ERR_OK && v > 0 ? (uint64_t)v : 0;
}

static enum err compaction_read(const struct json_value *compaction, struct prom_meta *m)
{
    const struct json_value *hints = json_get(compaction, STR("hints"));
    const struct json_value *parents = json_get(compaction, STR("parents"));
    const struct json_value *deletable = json_get(compaction, STR("deletable"));
    m->level = (unsigned)count_of(compaction, STR("level"));
    m->deletable = deletable && deletable->kind == JSON_BOOL && deletable->boolean;
    for (const struct json_value *h = hints ? hints->child : NULL; h; h = h->next) {
        m->aside = m->aside || str_eq(h->string, STR(PROM_HINT_OUT_OF_ORDER)) ||
                   str_eq(h->string, STR(PROM_HINT_STALE_SERIES)) ||
                   str_eq(h->string, STR(PROM_HINT_SELECTED_SERIES));
    }
    m->parents = mem_array(parents ? parents->count + 1 : 1, sizeof(*m->parents));
    if (!m->parents) {
        return ERR_OOM;
    }
    for (const struct json_value *p = parents ? parents->child : NULL; p; p = p->next) {
        const struct json_value *ulid = json_get(p, STR("ulid"));
        if (ulid && prom_ulid_is(ulid->string)) {
            (void)snprintf(m->parents[m->parent_count++], sizeof(*m->parents), "%.*s", STR_FMT(ulid->string));
        }
    }
    return ERR_OK;
}

static enum err meta_of(const struct json_value *root, struct prom_meta *m, struct err_info *info)
{
    int64_t version = 0;
    const struct json_value *v = json_get(root, STR("version")), *ulid = json_get(root, STR("ulid"));
    const struct json_value *min = json_get(root, STR("minTime")), *max = json_get(root, STR("maxTime"));
    if (!v || json_to_i64(v, &version) != ERR_OK || version != PROM_META_VERSION) {
        return err_set(info, ERR_UNSUPPORTED, "meta.json has version %lld; known is 1", (long long)version);
    }
    if (!ulid || !prom_ulid_is(ulid->string) || !min || !max || json_to_i64(min, &m->min_ts) != ERR_OK ||
        json_to_i64(max, &m->max_ts) != ERR_OK || m->min_ts > m->max_ts) {
        return err_set(info, ERR_CORRUPT, "meta.json has no proper ulid, minTime and maxTime");
    }
    (void)snprintf(m->ulid, sizeof(m->ulid), "%.*s", STR_FMT(ulid->string));
    const struct json_value *stats = json_get(root, STR("stats"));
    m->samples = count_of(stats, STR("numSamples"));
    m->series = count_of(stats, STR("numSeries"));
    m->chunks = count_of(stats, STR("numChunks"));
    return compaction_read(json_get(root, STR("compaction")), m);
}

enum err prom_meta_parse(struct str json, struct prom_meta *ret_meta, struct err_info *info)
{
    struct arena a AUTO_ARENA;
    struct prom_meta m = {0};
    const struct json_value *root = NULL;
    arena_init(&a, 0, NULL);
    enum err e = json_parse(&a, json, &root, info);
    if (e != ERR_OK) {
        return e == ERR_OOM ? e : err_set(info, ERR_CORRUPT, "meta.json is no JSON: it is damaged");
    }
    e = meta_of(root, &m, info);
    if (e != ERR_OK) {
        prom_meta_done(&m);
        return e;
    }
    *ret_meta = m;
    return ERR_OK;
}

enum err prom_meta_read(const char *block_dir, struct prom_meta *ret_meta, struct err_info *info)
{
    char path[4096];
    struct buf b AUTO_BUF = {.size_bytes_max = META_BYTES_MAX};
    (void)snprintf(path, sizeof(path), "%s/%s", block_dir, PROM_META_FILE);
    enum err e = file_load(path, &b, info);
    e = e == ERR_OK ? prom_meta_parse(buf_view(&b), ret_meta, info) : e;
    if (e != ERR_OK) {
        err_in_file(info, path);
    }
    return e;
}
