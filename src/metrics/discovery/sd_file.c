/* file_sd_configs: YAML and JSON files named by patterns. A broken file keeps its old groups, a file that is
 * gone loses them. */
#include <errno.h>
#include <glob.h>
#include <stdio.h>

#include "base/log.h"
#include "metrics/discovery/discovery_int.h"

static enum err read_text(const char *path, struct arena *a, struct str *ret_text, struct err_info *info)
{
    FILE *f = fopen(path, "re");
    struct buf text AUTO_BUF = {.size_bytes_max = (size_t)16 << 20};
    char block[8192];
    size_t n;
    if (!f) {
        return err_set_errno(info, errno, "%s", path);
    }
    while ((n = fread(block, 1, sizeof(block), f)) > 0) {
        buf_append(&text, block, n);
    }
    bool failed = ferror(f) != 0;
    (void)fclose(f);
    if (failed) {
        return err_set(info, ERR_IO, "cannot read %s", path);
    }
    *ret_text = text.err ? (struct str){0} : arena_str(a, buf_view(&text));
    return ret_text->p ? ERR_OK : err_set(info, ERR_LIMIT, "%s is larger than 16 MiB", path);
}

static enum err read_groups(struct target_groups *g, const char *path, struct err_info *info)
{
    struct arena work AUTO_ARENA = {0};
    const struct yaml_node *root;
    struct label extra = {STR("__meta_filepath"), str_c(path)};
    struct str name = str_c(path), text;
    enum err e;
    if (str_ends(name, STR(".json")) || str_ends(name, STR(".JSON"))) {
        e = read_text(path, &work, &text, info);
        e = e ? e : target_groups_add_json(g, text, extra, info);
    } else {
        e = yaml_load(&work, path, &root, info);
        e = e ? e : target_groups_add_yaml(g, root, extra, info);
    }
    if (e) {
        err_in_file(info, path);
    }
    return e;
}

/* The file's groups into `g`, or the old ones when it is broken. */
static enum err add_file(struct sd_provider *p, struct target_groups *old, struct target_groups *g,
                         const char *path)
{
    struct err_info info = {0};
    size_t from = g->n;
    struct str source = arena_str(&g->memory, str_c(path));
    enum err e = source.p ? read_groups(g, path, &info) : ERR_OOM;
    if (!e) {
        for (size_t i = from; i < g->n; i++) {
            g->items[i].source = source;
        }
        return ERR_OK;
    }
    char text[800];
    g->n = from;
    atomic_fetch_add(&p->d->file_read_errors, 1);
    LOG_EVENT(LVL_ERROR, "file_sd_read_failed", F_C("path", path),
              F_C("err", err_render(&info, text, sizeof(text))),
              F_C("action", "kept the targets read before"));
    return old ? target_groups_copy(g, old, str_c(path)) : ERR_OK;
}

enum err sd_file_refresh(struct sd_provider *p, struct target_groups *old, struct target_groups **ret_groups,
                         struct err_info *info)
{
    struct target_groups *g;
    size_t files = 0;
    enum err e = target_groups_new(&g);
    if (e) {
        return e;
    }
    for (size_t i = 0; i < p->config->file_count && !e; i++) {
        glob_t found = {0};
        if (glob(p->config->files[i].p, 0, NULL, &found) == 0) {
            for (size_t k = 0; k < found.gl_pathc && !e; k++) {
                e = files++ < DISCOVERY_FILES_MAX ? add_file(p, old, g, found.gl_pathv[k]) : ERR_LIMIT;
            }
        }
        globfree(&found);
    }
    if (e) {
        target_groups_unref(g);
        return e == ERR_LIMIT ? err_set(info, e, "more than %d files match", DISCOVERY_FILES_MAX)
                              : err_set(info, e, "out of memory");
    }
    *ret_groups = g;
    return ERR_OK;
}
