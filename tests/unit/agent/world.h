/* Log files, the input that follows them, and what it delivered. */
#ifndef CAIRN_TESTS_AGENT_WORLD_H
#define CAIRN_TESTS_AGENT_WORLD_H

#include "agent/inputs/file_input.h"
#include "base/buf.h"
#include "base/thread.h"

enum {
    HELD_MAX = 256
};

/* What the input delivered; it may hold receipts back, as a client does that cannot send. */
struct world {
    char dir[256], positions_path[300];
    struct mutex lock;
    struct cond arrived;
    struct buf lines; /* each with a newline */
    size_t count;
    bool hold;
    struct receipt *held[HELD_MAX];
    size_t held_count;
    struct file_target targets[2];
    struct file_job job;
    struct positions *positions;
    struct file_input *in;
    char pattern[300], exclude[300];
};

void world_init(struct world *w, const char *name, const char *pattern);
/* The same in a folder of the test's, for several worlds at once. */
void world_init_in(struct world *w, const char *folder, const char *name, const char *pattern);
bool world_start(struct world *w);
bool world_save(struct world *w);
void world_release(struct world *w, bool ok);
void world_stop(struct world *w);
void world_done(struct world *w);
/* Waits until `n` lines have arrived in all. */
bool world_wait(struct world *w, size_t n);
/* Waits until each of the texts has arrived. */
bool world_wait_for(struct world *w, const char *const *texts, size_t n);
/* Appends to a file of the world, which is opened anew. */
void world_append(struct world *w, const char *name, struct str text);
void world_move(struct world *w, const char *from, const char *to);

#endif
