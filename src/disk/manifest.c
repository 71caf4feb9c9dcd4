/* The manifest's text, and the tidying at start. */
#include "disk/manifest.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/strmap.h"
#include "codec/crc32c.h"
#include "disk/file.h"

enum {
    MANIFEST_BYTES_MAX = 256 << 20,
    CRC_LINE_BYTES = 16 /* "crc32c 0123abcd\n" */
};

static bool name_ok(struct str name)
{
    for (size_t i = 0; i < name.n; i++) {
        unsigned char c = (unsigned char)name.p[i];
        if (c <= ' ' || c == '/' || c == 0x7f) {
            return false;
        }
    }
    return name.n > 0 && !str_eq_c(name, ".") && !str_eq_c(name, "..");
}

/* -- reading --------------------------------------------------------------------------------------------- */

static enum err damaged(struct err_info *info, const char *path, const char *what)
{
    return err_set(info, ERR_CORRUPT, "%s: the manifest is damaged: %s", path, what);
}

/* The value of the next line when it begins with `key` and a space; p == NULL otherwise. */
static struct str take_line(struct str *rest, struct str key)
{
    struct str line = rest->p ? str_cut(rest, '\n') : *rest;
    if (!str_starts(line, key) || line.n <= key.n || line.p[key.n] != ' ') {
        return str_of(NULL, 0);
    }
    return str_slice(line, key.n + 1, line.n);
}

static enum err parse_entry(struct str *rest, struct manifest_entry *ret_entry)
{
    struct str line = take_line(rest, STR("entry"));
    struct str name = line.p ? str_cut(&line, ' ') : line;
    uint64_t n;
    if (!line.p || !name_ok(name) || str_to_u64(line, &n) != ERR_OK || !rest->p || n >= rest->n ||
        rest->p[n] != '\n') {
        return ERR_CORRUPT;
    }
    *ret_entry = (struct manifest_entry){name, str_slice(*rest, 0, (size_t)n)};
    *rest = str_slice(*rest, (size_t)n + 1, rest->n);
    return ERR_OK;
}

static enum err parse(const char *path, struct str content, struct arena *a, struct manifest *ret_m,
                      struct err_info *info)
{
    struct str rest = content;
    struct str version = take_line(&rest, STR("cairn-manifest"));
    uint64_t number;
    if (str_to_u64(version, &number) == ERR_OK && number != 1) {
        return err_set(info, ERR_UNSUPPORTED, "%s: manifest version %.*s; this program reads 1", path,
                       STR_FMT(version));
    }
    char want[CRC_LINE_BYTES + 1];
    struct str body = str_slice(content, 0, content.n < CRC_LINE_BYTES ? 0 : content.n - CRC_LINE_BYTES);
    (void)snprintf(want, sizeof(want), "crc32c %08x\n", crc32c(0, body.p, body.n));
    if (!version.p || !str_eq_c(str_slice(content, body.n, content.n), want)) {
        return damaged(info, path, "its checksum does not match");
    }
    struct manifest m = {0};
    if (str_to_u64(take_line(&rest, STR("generation")), &m.generation) != ERR_OK) {
        return damaged(info, path, "it has no generation");
    }
    struct manifest_entry *entries = NULL;
    size_t cap = 0;
    while (rest.p < body.p + body.n) {
        if (arena_reserve(a, (void **)&entries, &cap, m.n + 1, sizeof(*entries)) != ERR_OK) {
            return err_set(info, arena_err(a), "no memory to read %s", path);
        }
        if (parse_entry(&rest, &entries[m.n]) != ERR_OK) {
            return damaged(info, path, "an entry cannot be read");
        }
        m.n++;
    }
    m.entries = entries;
    *ret_m = m;
    return ERR_OK;
}

enum err manifest_load(const char *path, struct arena *a, struct manifest *ret_m,
                       struct err_info *reterr_info)
{
    struct buf content AUTO_BUF = {.size_bytes_max = MANIFEST_BYTES_MAX};
    enum err e = file_load(path, &content, reterr_info);
    if (e == ERR_NOT_FOUND) {
        *ret_m = (struct manifest){0};
        return ERR_OK;
    }
    if (e) {
        return e;
    }
    struct str copy = arena_str(a, buf_view(&content));
    if (!copy.p) {
        return err_set(reterr_info, arena_err(a), "no memory to read %s", path);
    }
    return parse(path, copy, a, ret_m, reterr_info);
}

/* -- writing --------------------------------------------------------------------------------------------- */

static enum err check_names(const char *path, const struct manifest *m, struct err_info *info)
{
    struct strmap seen = {0};
    enum err e = ERR_OK;
    for (size_t i = 0; i < m->n && !e; i++) {
        struct str name = m->entries[i].name;
        void *old = NULL;
        if (!name_ok(name)) {
            e = err_set(info, ERR_INVALID, "%s: \"%.*s\" cannot be a name", path, STR_FMT(name));
        } else if ((e = strmap_put(&seen, name, &seen, &old)) != ERR_OK) {
            (void)err_set(info, e, "no memory to write %s", path);
        } else if (old) {
            e = err_set(info, ERR_INVALID, "%s: \"%.*s\" is there twice", path, STR_FMT(name));
        }
    }
    strmap_done(&seen);
    return e;
}

enum err manifest_store(const char *path, const struct manifest *m, uint64_t *ret_generation,
                        struct err_info *reterr_info)
{
    struct buf b AUTO_BUF = {.size_bytes_max = MANIFEST_BYTES_MAX};
    enum err e = check_names(path, m, reterr_info);
    if (e) {
        return e;
    }
    buf_printf(&b, "cairn-manifest 1\ngeneration %llu\n", (unsigned long long)(m->generation + 1));
    for (size_t i = 0; i < m->n; i++) {
        const struct manifest_entry *x = &m->entries[i];
        buf_printf(&b, "entry %.*s %zu\n", STR_FMT(x->name), x->text.n);
        buf_str(&b, x->text);
        buf_char(&b, '\n');
    }
    if (!b.err) {
        buf_printf(&b, "crc32c %08x\n", crc32c(0, b.p, b.n));
    }
    if (b.err) {
        return err_set(reterr_info, b.err, "no memory to write %s", path);
    }
    e = file_store(path, buf_view(&b), reterr_info);
    if (!e) {
        *ret_generation = m->generation + 1;
    }
    return e;
}

const struct manifest_entry *manifest_find(const struct manifest *m, struct str name)
{
    for (size_t i = 0; i < m->n; i++) {
        if (str_eq(m->entries[i].name, name)) {
            return &m->entries[i];
        }
    }
    return NULL;
}

/* -- tidying --------------------------------------------------------------------------------------------- */

static int compare_str(const void *a, const void *b)
{
    const struct str *x = a, *y = b;
    return str_cmp(*x, *y);
}

static bool is_in(const struct str *sorted, size_t n, struct str name)
{
    return n && bsearch(&name, sorted, n, sizeof(*sorted), compare_str);
}

static enum err remove_unnamed(const char *dir, struct str suffix, const struct str *wanted, size_t wanted_n,
                               const struct str *files, size_t n, struct arena *a, size_t *ret_removed,
                               struct err_info *info)
{
    struct str temporary = arena_printf(a, "%.*s.tmp", STR_FMT(suffix));
    for (size_t i = 0; i < n; i++) {
        bool ours = str_ends(files[i], suffix) || (temporary.p && str_ends(files[i], temporary));
        if (!ours || is_in(wanted, wanted_n, files[i])) {
            continue;
        }
        struct str path = arena_printf(a, "%s/%.*s", dir, STR_FMT(files[i]));
        enum err e = path.p ? file_remove(path.p, info) : arena_err(a);
        if (e) {
            return e;
        }
        ++*ret_removed;
    }
    return temporary.p ? ERR_OK : arena_err(a);
}

enum err manifest_sweep(const struct manifest *m, const char *dir, struct str suffix, struct arena *a,
                        const struct str **ret_missing, size_t *ret_missing_n, size_t *ret_removed,
                        struct err_info *reterr_info)
{
    const struct str *files = NULL;
    size_t n = 0, removed = 0, missing_n = 0;
    enum err e = dir_list(dir, a, &files, &n, reterr_info);
    if (e) {
        return e;
    }
    struct str *wanted = arena_array(a, m->n + 1, sizeof(*wanted));
    struct str *missing = arena_array(a, m->n + 1, sizeof(*missing));
    if (!wanted || !missing) {
        return err_set(reterr_info, arena_err(a), "no memory to check %s", dir);
    }
    for (size_t i = 0; i < m->n; i++) {
        wanted[i] = m->entries[i].name;
        if (!is_in(files, n, m->entries[i].name)) {
            missing[missing_n++] = m->entries[i].name;
        }
    }
    if (m->n > 1) {
        qsort(wanted, m->n, sizeof(*wanted), compare_str);
    }
    e = remove_unnamed(dir, suffix, wanted, m->n, files, n, a, &removed, reterr_info);
    if (e) {
        return e;
    }
    *ret_missing = missing;
    *ret_missing_n = missing_n;
    if (ret_removed) {
        *ret_removed = removed;
    }
    return ERR_OK;
}
