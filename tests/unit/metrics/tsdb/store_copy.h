/* What a crash leaves: the files of a store as they are now, open or not. */
#ifndef CAIRN_TESTS_TSDB_STORE_COPY_H
#define CAIRN_TESTS_TSDB_STORE_COPY_H

#include <stdio.h>

#include "disk/file.h"

static inline enum err folder_copy(const char *from, const char *to, const char *name, struct err_info *info)
{
    struct arena a AUTO_ARENA = {0};
    const struct str *names = NULL;
    size_t n = 0;
    char path[512];
    (void)snprintf(path, sizeof(path), "%s/%s", from, name);
    if (!dir_is(path)) {
        return ERR_OK;
    }
    enum err e = dir_list(path, &a, &names, &n, info);
    (void)snprintf(path, sizeof(path), "%s/%s", to, name);
    e = e == ERR_OK ? dir_make(path, info) : e;
    for (size_t i = 0; e == ERR_OK && i < n; i++) {
        struct buf content AUTO_BUF = {0};
        (void)snprintf(path, sizeof(path), "%s/%s/%.*s", from, name, STR_FMT(names[i]));
        if (dir_is(path)) {
            continue;
        }
        e = file_load(path, &content, info);
        (void)snprintf(path, sizeof(path), "%s/%s/%.*s", to, name, STR_FMT(names[i]));
        e = e == ERR_OK ? file_store(path, buf_view(&content), info) : e;
    }
    return e;
}

/* `to` is made. */
static inline enum err store_copy(const char *from, const char *to, struct err_info *info)
{
    static const char *const FOLDERS[] = {".", "blocks", "wal", "chunks"};
    enum err e = dir_make(to, info);
    for (size_t i = 0; e == ERR_OK && i < ARRAY_LEN(FOLDERS); i++) {
        e = folder_copy(from, to, FOLDERS[i], info);
    }
    return e;
}

#endif
