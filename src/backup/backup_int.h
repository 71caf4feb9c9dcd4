/* Seen by backup's own files only. */
#ifndef CAIRN_BACKUP_BACKUP_INT_H
#define CAIRN_BACKUP_BACKUP_INT_H

#include <stdio.h>

#include "backup/backup.h"
#include "backup/limits.h"

enum {
    KEY_BYTES = 192
};

static inline struct str object_key(const struct backup_file *f, char key[KEY_BYTES])
{
    (void)snprintf(key, KEY_BYTES, "objects/%.2s/%s", f->hash, f->hash);
    return str_c(key);
}

static inline struct str list_key(struct str name, char key[KEY_BYTES])
{
    (void)snprintf(key, KEY_BYTES, "backups/%.*s", STR_FMT(name));
    return str_c(key);
}

static inline void progress_tell(const struct backup_progress *p, uint64_t done, uint64_t total)
{
    if (p && p->step) {
        p->step(p->ctx, done, total);
    }
}

#endif
