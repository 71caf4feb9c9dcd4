/* Inside of the file input. Everything in a tail belongs to the input's thread, except what stands under the
 * lock: settled receipts arrive from the senders. */
#ifndef CAIRN_AGENT_INPUTS_FILE_INT_H
#define CAIRN_AGENT_INPUTS_FILE_INT_H

#include <stdatomic.h>

#include "agent/inputs/decode.h"
#include "agent/inputs/file_input.h"
#include "agent/inputs/glob.h"
#include "agent/inputs/unpack.h"
#include "agent/inputs/watch.h"
#include "base/hash.h"
#include "base/strmap.h"
#include "base/thread.h"

struct tail;

/* A chunk of a file that is under way. */
struct tail_receipt {
    struct receipt base;
    struct tail *tail;
    struct tail_receipt *next; /* in order of the file */
    uint64_t end, mark_hash;
    uint32_t mark_len;
    uint64_t era;  /* of the tail when it was read: a truncated file begins a new one */
    bool done, ok; /* under the lock */
};

/* What is known about the identity of an open file. */
struct file_id {
    uint64_t dev, ino;
    uint64_t head_hash;
    uint32_t head_len;
};

struct tail {
    struct file_input *in;
    const struct file_job *job;
    const struct file_target *target;
    char *path;
    struct labels labels; /* with filename; one block of memory with path, which begins it */
    struct label *block;
    int fd;
    struct file_id id;              /* head_hash and head_len under the lock */
    uint64_t offset;                /* of the next line */
    uint64_t size;                  /* when last looked at */
    size_t partial;                 /* bytes of an unfinished line seen behind offset */
    char mark[POSITION_MARK_BYTES]; /* the bytes before offset */
    uint32_t mark_len;
    uint64_t era;
    ts_ns last_ts;
    struct decoder *decoder; /* NULL: as it comes */
    struct unpacker *unpacker;
    uint64_t skip_lines; /* packed: delivered before */
    int wd;              /* -1: not watched, polled */
    bool dirty;          /* there may be something to read */
    bool verify;         /* look whether it was rewritten before reading on */
    bool draining;       /* no longer the file at its path */
    bool closed;         /* nothing more is read; waits for receipts */
    bool failed;         /* a read error was logged */
    bool seen;           /* by the scan at hand */
    int64_t quiet_ns;    /* draining: last growth */
    struct tail *next, *next_same_wd;

    /* Under the lock: */
    struct tail_receipt *first, *last;
    uint64_t acked, acked_mark_hash;
    uint32_t acked_mark_len;
    uint64_t acked_era;
    bool stuck; /* a chunk failed: the position must stay before it */
};

/* Where a file was left that is no longer open, for when it turns up under another name. */
struct left_file {
    struct position at; /* job and path live in the input's arena */
    bool claimed;
};

struct file_input {
    struct file_input_options o;
    struct glob *globs; /* by target, jobs after another */
    struct glob *excludes;
    struct arena arena;
    struct thread thread;
    atomic_bool stop;    /* set by file_input_stop, read by the thread */
    atomic_bool changed; /* set when a position may have moved, taken by the reporter */
    atomic_bool news;    /* set by the thread when it has opened a file, taken by the reporter */
    int wake_fd;
    struct watch *watch;   /* NULL: inotify is not to be had */
    struct strmap by_path; /* live tails by job and path */
    struct strmap by_id;   /* all tails by job, device and inode */
    struct tail *turn;     /* whose turn it is to read */
    struct left_file *left;
    size_t left_count, left_cap;
    char *buffer; /* AGENT_LINE_BYTES_MAX */
    struct arena line_arena;
    struct buf decoded;
    int64_t scan_due_ns, poll_due_ns, scan_soonest_ns;
    size_t folders; /* watched in the scan at hand */
    bool scan_asked, first_scan_done;
    bool polled;          /* some file is not watched */
    int64_t poll_wait_ms; /* grows while nothing changes */
    bool watches_logged;  /* fs.inotify.max_user_watches was reached */
    bool limit_logged;    /* AGENT_FILES_MAX or AGENT_DIRS_MAX was reached */
    struct strmap logged; /* paths that cannot be followed: said once */

    struct mutex lock;
    struct cond ended_cond;
    bool ended;         /* the thread has left its loop */
    struct tail *tails; /* changed by the thread under the lock */
    size_t tail_count;
};

/* tail.c */
/* Opens `real` to be read as `path` (they differ for a file that was rotated away). Errors: NOT_FOUND,
 * DENIED, IO, INVALID (no regular file), OOM. */
MUST_USE enum err tail_open(struct file_input *in, const struct file_job *job,
                            const struct file_target *target, struct str path, const char *real,
                            struct tail **ret_tail);
/* Reads one chunk. True when there may be more at once. */
bool tail_has_more(const struct tail *t, uint64_t size); /* by its size, which may not be t->size yet */
bool tail_read(struct tail *t);
/* Begins at the position: what is before counts as acknowledged. */
void tail_seek(struct tail *t, const struct position *at);
/* The rest of a file that nobody will write to again: its last line counts without a newline. */
void tail_finish(struct tail *t);
void tail_close_fd(struct tail *t);
void tail_free(struct tail *t);
/* The position up to which everything is settled. The lock is held. */
struct position tail_position(const struct tail *t);

/* identity.c */
/* Checks the hashes of a position against an open file. */
bool position_fits(int fd, uint64_t size, const struct position *at);
void left_load(struct file_input *in, const struct positions *p);
void left_done(struct file_input *in);
void left_add(struct file_input *in, const struct position *at);
/* Where to begin in a file that was not open before. */
void identity_start(struct tail *t);
/* After the first scan: opens what was rotated away while the agent did not run. */
void identity_resume(struct file_input *in);
/* Files that came and went at `path` between `last` (still open) and the present one. */
void identity_between(struct file_input *in, const struct file_job *job, const struct file_target *target,
                      struct str path, const struct file_id *last, int last_fd);

/* scan.c */
/* Walks the globs: opens what is new, looks at what is known. */
void scan_globs(struct file_input *in);
/* The file was renamed or removed, or something took its place. */
void scan_check_path(struct tail *t);
/* Links an opened tail: watched, in the list, to be read. */
void scan_add(struct file_input *in, struct tail *t, bool draining);
/* The open tail of the file, whatever its name, also one that waits for its receipts. */
struct tail *scan_find_id(struct file_input *in, const struct file_job *job, uint64_t dev, uint64_t ino);
/* Lets go of drained files and frees tails that wait for nothing. Returns when to look again. */
int64_t scan_reap(struct file_input *in, int64_t now_ns);
void scan_unwatch(struct tail *t);

#endif
