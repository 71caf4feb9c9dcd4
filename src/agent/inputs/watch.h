/* inotify, as far as the file input needs it: watches on folders and files, events by watch descriptor. */
#ifndef CAIRN_AGENT_INPUTS_WATCH_H
#define CAIRN_AGENT_INPUTS_WATCH_H

#include "base/err.h"
#include "base/str.h"

struct watch;
struct tail;

enum watch_event {
    WATCH_CHANGED = 0, /* the file grew or was cut */
    WATCH_MOVED,       /* the file was renamed or removed, or its links changed */
    WATCH_FOLDER,      /* something appeared in a folder */
    WATCH_GONE,        /* the watch ended with its file or folder */
    WATCH_OVERFLOW     /* events were lost: look at everything */
};

/* Errors: UNAVAILABLE (no inotify instance left), OOM. */
MUST_USE enum err watch_new(struct watch **ret_watch, struct err_info *reterr_info);
void watch_free(struct watch *w); /* accepts NULL */
int watch_fd(const struct watch *w);
/* Errors: LIMIT (fs.inotify.max_user_watches), NOT_FOUND, DENIED, IO. */
MUST_USE enum err watch_file(struct watch *w, const char *path, int *ret_wd);
MUST_USE enum err watch_folder(struct watch *w, const char *path, int *ret_wd);
void watch_remove(struct watch *w, int wd);
/* Tails by descriptor; several may share one. Errors: OOM. */
MUST_USE enum err watch_bind(struct watch *w, int wd, struct tail *t);
/* False when no tail is left on it. */
bool watch_unbind(struct watch *w, int wd, struct tail *t);
struct tail *watch_tails(struct watch *w, int wd);
/* Reads what is pending; calls fn for each event. Never blocks. */
void watch_read(struct watch *w, void (*fn)(void *ctx, enum watch_event event, int wd), void *ctx);

#endif
