/* The write-ahead log when something goes wrong: an acknowledgement is a promise. */
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/thread.h"
#include "disk/file.h"
#include "disk/ingest_log.h"
#include "harness.h"

enum {
    THREADS = 6,
    OFFSETS_MAX = 1 << 16 /* more than a killed writer gets through before the signal comes */
};

struct found {
    bool at[OFFSETS_MAX];
    size_t n;
    struct str want; /* every record's content */
    bool wrong;
};

static enum err note(void *ctx, unsigned partition, uint64_t offset, struct str record)
{
    struct found *f = ctx;
    f->wrong |= partition != 3 || offset >= OFFSETS_MAX || !str_eq(record, f->want);
    if (offset < OFFSETS_MAX) {
        f->at[offset] = true;
        f->n++;
    }
    return ERR_OK;
}

static struct ingest_log *open_in(const char *dir, enum durability d, uint64_t segment_bytes)
{
    struct ingest_log *l = NULL;
    struct ingest_log_options o = {.dir = dir, .durability = d, .segment_bytes = segment_bytes};
    return ingest_log_open(&o, &l, NULL) == ERR_OK ? l : NULL;
}

static bool read_back(const char *dir, struct found *f, uint64_t *ret_bad)
{
    struct ingest_log *l = open_in(dir, DURABILITY_OS, 0);
    enum err e = l ? ingest_log_replay(l, 0, note, f, ret_bad, NULL) : ERR_IO;
    ingest_log_close(l);
    return e == ERR_OK && !f->wrong;
}

static const struct str content = STR_INIT("forty bytes or so of a record's content.");

struct appender {
    struct ingest_log *log;
    struct thread thread;
    bool acked[OFFSETS_MAX];
    unsigned rounds;
};

static void append_until_refused(void *ctx)
{
    struct appender *w = ctx;
    uint64_t offset;
    for (unsigned i = 0; i < w->rounds; i++) {
        if (ingest_log_append(w->log, 3, &content, 1, &offset, NULL) == ERR_OK && offset < OFFSETS_MAX) {
            w->acked[offset] = true;
        }
    }
}

/* One disk operation fails while many threads append: what was acknowledged must be there. */
static bool keeps_promises(uint64_t nth, enum durability d)
{
    static struct appender w[THREADS];
    static struct found f;
    char dir[512];
    snprintf(dir, sizeof(dir), "%s/promise", test_dir());
    memset(w, 0, sizeof(w));
    f = (struct found){.want = content};
    struct ingest_log *l = open_in(dir, d, 1024);
    if (!l) {
        return false;
    }
    fault_arm(FAULT_DISK, nth, false);
    bool ok = true;
    for (size_t i = 0; i < THREADS; i++) {
        w[i].log = l;
        w[i].rounds = 40;
        ok &= thread_start(&w[i].thread, "appender", append_until_refused, &w[i]) == ERR_OK;
    }
    for (size_t i = 0; i < THREADS; i++) {
        thread_join(&w[i].thread);
    }
    fault_arm(FAULT_DISK, 0, false);
    ingest_log_close(l);
    ok &= read_back(dir, &f, NULL);
    for (size_t i = 0; i < THREADS; i++) {
        for (size_t o = 0; o < OFFSETS_MAX; o++) {
            ok &= !w[i].acked[o] || f.at[o];
        }
    }
    return ok && dir_remove(dir, NULL) == ERR_OK;
}

TEST(no_thread_is_acknowledged_behind_a_failed_write)
{
    for (uint64_t nth = 1; nth < 60; nth++) {
        CHECK(keeps_promises(nth, DURABILITY_SYNC));
        CHECK(keeps_promises(nth, DURABILITY_OS));
    }
}

/* The child appends until it is killed and reports each acknowledged offset through the pipe. */
static void child_appends(const char *dir, enum durability d, int out)
{
    struct ingest_log *l = open_in(dir, d, 8192);
    uint64_t offset;
    while (l && ingest_log_append(l, 3, &content, 1, &offset, NULL) == ERR_OK) {
        if (write(out, &offset, sizeof(offset)) != (ssize_t)sizeof(offset)) {
            break;
        }
    }
    _exit(1);
}

static bool survives_kill(const char *dir, enum durability d, unsigned acks)
{
    static struct found f;
    int p[2];
    if (pipe(p) != 0) {
        return false;
    }
    pid_t child = fork();
    if (child == 0) {
        close(p[0]);
        child_appends(dir, d, p[1]);
    }
    close(p[1]);
    static bool acked[OFFSETS_MAX];
    memset(acked, 0, sizeof(acked));
    uint64_t offset;
    unsigned n = 0;
    while (child > 0 && read(p[0], &offset, sizeof(offset)) == (ssize_t)sizeof(offset)) {
        if (offset < OFFSETS_MAX) {
            acked[offset] = true;
        }
        if (++n == acks) {
            kill(child, SIGKILL);
        }
    }
    close(p[0]);
    int status = 0;
    bool ok = child > 0 && waitpid(child, &status, 0) == child && WIFSIGNALED(status);
    f = (struct found){.want = content};
    ok &= read_back(dir, &f, NULL);
    for (size_t o = 0; o < OFFSETS_MAX; o++) {
        ok &= !acked[o] || f.at[o];
    }
    return ok;
}

TEST(a_killed_writer_loses_nothing_it_acknowledged)
{
    static const enum durability modes[] = {DURABILITY_OS, DURABILITY_INTERVAL, DURABILITY_SYNC};
    for (size_t m = 0; m < ARRAY_LEN(modes); m++) {
        char dir[512];
        snprintf(dir, sizeof(dir), "%s/kill-%zu", test_dir(), m);
        for (unsigned acks = 1; acks < 200; acks += 63) { /* each run appends to what the last one left */
            CHECK(survives_kill(dir, modes[m], acks));
        }
    }
}

/* A full disk, played by the limit on file sizes: a write stops half way. */
TEST(a_full_disk_refuses_the_batch_and_goes_on)
{
    static struct found f;
    char dir[512];
    snprintf(dir, sizeof(dir), "%s/full", test_dir());
    struct ingest_log *l = open_in(dir, DURABILITY_SYNC, 0);
    CHECK(l != NULL);
    struct rlimit old, small = {.rlim_cur = 1000};
    CHECK(getrlimit(RLIMIT_FSIZE, &old) == 0);
    small.rlim_max = old.rlim_max;
    void (*old_handler)(int) = signal(SIGXFSZ, SIG_IGN);
    (void)setrlimit(RLIMIT_FSIZE, &small);
    size_t acked = 0;
    uint64_t offset;
    struct err_info info = {0};
    enum err e = ERR_OK;
    while (acked < 100 && (e = ingest_log_append(l, 3, &content, 1, &offset, &info)) == ERR_OK) {
        acked++;
    }
    (void)setrlimit(RLIMIT_FSIZE, &old);
    (void)signal(SIGXFSZ, old_handler);
    CHECK_EQ(e, ERR_NO_SPACE);
    CHECK(acked > 10 && acked < 20);
    CHECK(ingest_log_healthy(l, NULL));
    CHECK_OK(ingest_log_append(l, 3, &content, 1, &offset, NULL)); /* there is room again */
    ingest_log_close(l);
    f = (struct found){.want = content};
    uint64_t bad = 9;
    CHECK(read_back(dir, &f, &bad));
    CHECK_EQ(f.n, acked + 1);
    CHECK_EQ(bad, 0);
}

/* A reused segment whose new header never reached the disk still holds what it held before. */
TEST(a_reused_segment_without_its_new_header_is_empty)
{
    static struct found f;
    char dir[512], from[600], to[600];
    uint64_t offset = 0;
    snprintf(dir, sizeof(dir), "%s/reused", test_dir());
    struct ingest_log *l = open_in(dir, DURABILITY_OS, 0);
    CHECK(l != NULL);
    for (int i = 0; i < 10; i++) {
        CHECK_OK(ingest_log_append(l, 3, &content, 1, &offset, NULL));
    }
    ingest_log_close(l);
    snprintf(from, sizeof(from), "%s/%016x.log", dir, 0);
    snprintf(to, sizeof(to), "%s/%016x.log", dir, 10);
    CHECK_OK(file_rename(from, to, NULL));
    f = (struct found){.want = content};
    uint64_t bad = 9;
    CHECK(read_back(dir, &f, &bad));
    CHECK_EQ(f.n, 0);
}
