/* Files: follows everything that matches the targets' globs, across rotation, truncation and restarts.
 *
 * One thread ("agent-files") reads all files of all jobs in turns, a chunk each, and carries every line
 * through its job's stages. inotify says what changed; a slow look at every file catches what inotify cannot
 * see (network file systems, a full queue, no watches left).
 *
 * Identity: a file is its device, inode and a hash of its first bytes; a position is an offset and a hash of
 * the bytes before it. So a renamed file is read on where it was left, a reused inode or a file rewritten in
 * place is read from its start, and a copy cut back (copytruncate) is noticed even when it has grown again.
 */
#ifndef CAIRN_AGENT_INPUTS_FILE_INPUT_H
#define CAIRN_AGENT_INPUTS_FILE_INPUT_H

#include "agent/inputs/positions.h"
#include "agent/model/entry.h"
#include "agent/model/metrics.h"
#include "base/buf.h"
#include "labels/labels.h"

struct file_input;

struct file_target {
    struct labels labels; /* without internal ones */
    struct str path;      /* glob, absolute */
    struct str exclude;   /* glob, or empty */
};

enum file_packing {
    FILE_PLAIN = 0,
    FILE_GZIP,
    FILE_ZLIB
};

struct file_job {
    struct str name;
    const struct file_target *targets;
    size_t target_count;
    struct str encoding; /* IANA name; empty = UTF-8, as it comes */
    enum file_packing packing;
    struct entry_sink sink; /* called on the input's thread; may block */
};

struct file_input_options {
    const struct file_job *jobs; /* borrowed, as everything in them */
    size_t job_count;
    const struct positions *positions;
    struct agent_metrics *metrics;
    int64_t sync_ms;        /* globs are walked again at least this often */
    int64_t poll_ms;        /* files that cannot be watched are looked at this often */
    int64_t rotate_wait_ms; /* a rotated file is let go after this long without growth */
};

void file_input_options_default(struct file_input_options *o);
/* Errors: INVALID (a glob, an unknown encoding), OOM, UNAVAILABLE. */
MUST_USE enum err file_input_new(const struct file_input_options *o, struct file_input **ret_input,
                                 struct err_info *reterr_info);
/* Asks the thread to end after the chunk at hand; true when it has, before the deadline of the monotonic
 * clock. It has not when the sink blocks. */
bool file_input_ask_stop(struct file_input *in, int64_t deadline_ns);
/* Asks and waits. Whoever may block the sink must have been told to stop before. */
void file_input_stop(struct file_input *in);
/* After everything that holds receipts is gone. Accepts NULL. */
void file_input_free(struct file_input *in);

/* Puts the acknowledged position of every file. Any one thread at a time. */
void file_input_report(struct file_input *in, struct positions *p);
/* True when a position may have moved since the last call: a report would differ. Any thread. */
bool file_input_take_changed(struct file_input *in);
/* True once after files were opened: their positions should be written soon, so that they are found again
 * even when they are rotated before the next regular time. Any thread. */
bool file_input_take_news(struct file_input *in);
/* Files open now. Any thread. */
size_t file_input_open_count(struct file_input *in);
/* For /targets: called with every file of the job under the input's lock. */
void file_input_each(struct file_input *in, size_t job,
                     void (*fn)(void *ctx, struct str path, struct labels labels, uint64_t acked,
                                uint64_t size),
                     void *ctx);

#endif
