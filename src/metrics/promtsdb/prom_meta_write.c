/* meta.json of a block, with Thanos' section when it is wanted. */
#include <stdio.h>
#include <sys/stat.h>

#include "codec/json.h"
#include "disk/file.h"
#include "metrics/promtsdb/prom_block_write_int.h"

static void put_str(struct json_writer *j, const char *key, struct str value)
{
    json_key(j, key);
    json_str(j, value);
}

static void put_u64(struct json_writer *j, const char *key, uint64_t value)
{
    json_key(j, key);
    json_u64(j, value);
}

static void put_stats(struct json_writer *j, const struct prom_block_stats *s)
{
    json_key(j, "stats");
    json_object_begin(j);
    put_u64(j, "numSamples", s->floats + s->histograms);
    put_u64(j, "numFloatSamples", s->floats);
    if (s->histograms) {
        put_u64(j, "numHistogramSamples", s->histograms);
    }
    put_u64(j, "numSeries", s->series);
    put_u64(j, "numChunks", s->chunks);
    json_object_end(j);
}

static void put_compaction(struct json_writer *j, const char *ulid)
{
    json_key(j, "compaction");
    json_object_begin(j);
    json_key(j, "level");
    json_i64(j, 1);
    json_key(j, "sources");
    json_array_begin(j);
    json_str(j, str_c(ulid));
    json_array_end(j);
    json_object_end(j);
}

static enum err put_file(struct json_writer *j, const struct prom_block_writer *w, const char *name,
                         struct err_info *info)
{
    char path[PROM_PATH_BYTES];
    struct stat st = {0};
    (void)snprintf(path, sizeof(path), "%s/%s", w->tmp, name);
    if (stat(path, &st) != 0) {
        return err_set(info, ERR_IO, "cannot stat %s", path);
    }
    json_object_begin(j);
    put_str(j, "rel_path", str_c(name));
    put_u64(j, "size_bytes", (uint64_t)st.st_size);
    json_object_end(j);
    return ERR_OK;
}

static enum err put_thanos(struct json_writer *j, const struct prom_block_writer *w,
                           const struct prom_block_extra *extra, unsigned segments, struct err_info *info)
{
    char name[64];
    enum err e = ERR_OK;
    json_key(j, "thanos");
    json_object_begin(j);
    json_key(j, "version");
    json_i64(j, 1);
    json_key(j, "labels");
    json_object_begin(j);
    for (size_t i = 0; i < extra->label_count; i++) {
        json_key_str(j, extra->labels[i].name);
        json_str(j, extra->labels[i].value);
    }
    json_object_end(j);
    json_key(j, "downsample");
    json_object_begin(j);
    json_key(j, "resolution");
    json_i64(j, 0);
    json_object_end(j);
    put_str(j, "source", STR("cairn"));
    json_key(j, "segment_files");
    json_array_begin(j);
    for (unsigned i = 1; i <= segments; i++) {
        (void)snprintf(name, sizeof(name), "%06u", i);
        json_str(j, str_c(name));
    }
    json_array_end(j);
    json_key(j, "files");
    json_array_begin(j);
    for (unsigned i = 1; e == ERR_OK && i <= segments; i++) {
        (void)snprintf(name, sizeof(name), PROM_CHUNKS_DIR "/%06u", i);
        e = put_file(j, w, name, info);
    }
    e = e == ERR_OK ? put_file(j, w, PROM_INDEX_FILE, info) : e;
    json_object_begin(j); /* itself, whose size it cannot know */
    put_str(j, "rel_path", STR(PROM_META_FILE));
    json_object_end(j);
    json_array_end(j);
    json_object_end(j);
    return e;
}

enum err prom_meta_write(const struct prom_block_writer *w, const struct prom_block_extra *extra,
                         unsigned segments, struct err_info *info)
{
    struct buf text AUTO_BUF = {.size_bytes_max = 16 << 20};
    struct json_writer j = json_writer(&text);
    char path[PROM_PATH_BYTES];
    enum err e = ERR_OK;
    json_object_begin(&j);
    put_str(&j, "ulid", str_c(w->stats.ulid));
    json_key(&j, "minTime");
    json_i64(&j, w->stats.min_ts);
    json_key(&j, "maxTime"); /* exclusive */
    json_i64(&j, w->stats.max_ts + 1);
    put_stats(&j, &w->stats);
    put_compaction(&j, w->stats.ulid);
    json_key(&j, "version");
    json_i64(&j, PROM_META_VERSION);
    if (extra->thanos) {
        e = put_thanos(&j, w, extra, segments, info);
    }
    json_object_end(&j);
    buf_char(&text, '\n');
    if (e == ERR_OK && text.err != ERR_OK) {
        e = err_set(info, text.err, "no memory to write a block");
    }
    (void)snprintf(path, sizeof(path), "%s/" PROM_META_FILE, w->tmp);
    return e == ERR_OK ? file_store(path, buf_view(&text), info) : e;
}
