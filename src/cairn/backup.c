/* cairn backup and cairn restore: a data folder to a folder of backups, and back.
 *
 * The locks of the stores tell whether a program uses the data folder: then it is asked for a snapshot, which
 * is copied and removed; otherwise the files are read as they are, under the locks. */
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "backup/backup.h"
#include "cairn/command.h"
#include "cairn/flags.h"
#include "cairn/snapshot.h"
#include "cairn/snapshot_client.h"
#include "disk/file.h"

enum {
    ROLES_KEPT = 3
};

static const char *const roles_kept[ROLES_KEPT] = {"metrics", "logs", "dashboards"};

struct backup_flags {
    struct str data, store, name;
    bool verify, help;
};

static const struct flag backup_table[] = {
    {"data", FLAG_STR, offsetof(struct backup_flags, data), "./cairn-data", "data folder to back up"},
    {"to", FLAG_STR, offsetof(struct backup_flags, store), "", "folder of the backups"},
    {"name", FLAG_STR, offsetof(struct backup_flags, name), "", "name of the backup; the time unless told"},
    {"verify", FLAG_BOOL, offsetof(struct backup_flags, verify), "", "read the backup again and compare"},
    {"help", FLAG_BOOL, offsetof(struct backup_flags, help), "", "this text"},
};

static const struct flag restore_table[] = {
    {"from", FLAG_STR, offsetof(struct backup_flags, store), "", "folder of the backups"},
    {"backup", FLAG_STR, offsetof(struct backup_flags, name), "", "name of the backup; the last unless told"},
    {"data", FLAG_STR, offsetof(struct backup_flags, data), "", "folder to write, absent or empty"},
    {"verify", FLAG_BOOL, offsetof(struct backup_flags, verify), "", "only read the backup and compare"},
    {"help", FLAG_BOOL, offsetof(struct backup_flags, help), "", "this text"},
};

static int fail(const char *command, const struct err_info *info, int status)
{
    (void)fprintf(stderr, "cairn %s: %s\n", command, info->message);
    return status;
}

static int help(const struct flag_set *set, const char *usage)
{
    struct buf text AUTO_BUF = {.size_bytes_max = 8192};
    buf_c(&text, usage);
    flags_help(&text, set, 1);
    return !text.err && fwrite(text.p, 1, text.n, stdout) == text.n ? 0 : 1;
}

static void progress_line(void *ctx, uint64_t done, uint64_t total)
{
    (void)fprintf(stderr, "\r%s %llu of %llu MiB", (const char *)ctx, (unsigned long long)(done >> 20),
                  (unsigned long long)(total >> 20));
}

/* On a terminal a line that is written over; elsewhere nothing. */
static struct backup_progress progress_of(char *word)
{
    return (struct backup_progress){.step = isatty(STDERR_FILENO) ? progress_line : NULL, .ctx = word};
}

static void progress_end(const struct backup_progress *p)
{
    if (p->step) {
        (void)fputc('\n', stderr);
    }
}

/* -- the source ------------------------------------------------------------------------------------------ */

/* What a backup is taken of. */
struct source {
    struct arena a;
    struct str data;
    int locks[ROLES_KEPT];
    struct str snapshot; /* folder to remove afterwards; empty: none */
    struct backup_source rows[ROLES_KEPT];
    size_t n;
};

/* Takes the stores' locks; *ret_running when one of them is in use. */
static enum err source_lock(struct source *s, bool *ret_running, struct err_info *info)
{
    enum err e = ERR_OK;
    *ret_running = false;
    for (size_t i = 0; i < ROLES_KEPT && !e && !*ret_running; i++) {
        struct str dir = arena_printf(&s->a, "%.*s/%s", STR_FMT(s->data), roles_kept[i]);
        e = !dir.p ? err_set(info, ERR_OOM, "out of memory") : ERR_OK;
        e = e || !dir_is(dir.p) ? e : dir_lock(dir.p, &s->locks[i], info);
        *ret_running = e == ERR_EXISTS;
        e = *ret_running ? ERR_OK : e;
    }
    return e;
}

/* A role without a store of its own to lock (dashboards alone) is running when DATA/control is there. */
static enum err source_open(struct source *s, struct err_info *info)
{
    bool running = false;
    enum err e = source_lock(s, &running, info);
    struct str control = arena_printf(&s->a, "%.*s/" SNAPSHOT_CONTROL, STR_FMT(s->data));
    running = running || (control.p && !e && s->locks[0] < 0 && s->locks[1] < 0 && file_exists(control.p));
    e = e || !running ? e : snapshot_of_running(&s->a, s->data, &s->snapshot, info);
    for (size_t i = 0; i < ROLES_KEPT && !e; i++) {
        struct str dir =
            arena_printf(&s->a, "%.*s/%s", STR_FMT(running ? s->snapshot : s->data), roles_kept[i]);
        struct str live = arena_printf(&s->a, "%.*s/%s", STR_FMT(s->data), roles_kept[i]);
        if (!dir.p || !live.p) {
            return err_set(info, ERR_OOM, "out of memory");
        }
        if (dir_is(dir.p)) {
            s->rows[s->n++] = (struct backup_source){dir.p, roles_kept[i]};
        } else if (dir_is(live.p)) {
            return err_set(info, ERR_UNAVAILABLE,
                           "the running program does not serve %s; stop the others first", live.p);
        }
    }
    return e || s->n ? e : err_set(info, ERR_NOT_FOUND, "%.*s holds nothing of Cairn's", STR_FMT(s->data));
}

static void source_close(struct source *s)
{
    for (size_t i = 0; i < ROLES_KEPT; i++) {
        dir_unlock(s->locks[i]);
    }
    if (s->snapshot.n) {
        (void)(dir_remove(s->snapshot.p, NULL) == ERR_OK);
    }
    arena_done(&s->a);
}

/* -- backup ---------------------------------------------------------------------------------------------- */

static enum err name_now(struct str given, char name[64], struct str *ret_name)
{
    time_t now = time(NULL);
    struct tm t;
    bool made = gmtime_r(&now, &t) && strftime(name, 64, "%Y%m%dT%H%M%SZ", &t) > 0;
    *ret_name = given.n ? given : str_c(name);
    return made ? ERR_OK : ERR_INTERNAL;
}

static int verify(struct object_store *store, struct str name, const char *command)
{
    struct backup_result r = {0};
    struct err_info info = {0};
    uint64_t bad = 0;
    struct backup_progress p = progress_of((char[]){"verified"});
    enum err e = backup_verify(store, name, &p, &r, &bad, &info);
    progress_end(&p);
    if (e) {
        (void)fprintf(stderr, "%llu of %llu files are damaged\n", (unsigned long long)bad,
                      (unsigned long long)r.files);
        return fail(command, &info, 1);
    }
    (void)printf("verified %.*s: %llu files, %llu bytes\n", STR_FMT(name), (unsigned long long)r.files,
                 (unsigned long long)r.bytes);
    return 0;
}

static int backup_run(const struct backup_flags *f, struct object_store *store)
{
    struct source s = {.data = f->data, .locks = {-1, -1, -1}};
    struct backup_result r = {0};
    struct err_info info = {0};
    struct backup_progress p = progress_of((char[]){"copied"});
    char made[64] = "";
    struct str name = {0};
    enum err e = name_now(f->name, made, &name);
    e = e ? e : source_open(&s, &info);
    e = e ? e : backup_write(store, name, s.rows, s.n, &p, &r, &info);
    progress_end(&p);
    source_close(&s);
    if (e) {
        return fail("backup", &info, 1);
    }
    (void)printf("backup %.*s: %llu files, %llu bytes; copied %llu files, %llu bytes\n", STR_FMT(name),
                 (unsigned long long)r.files, (unsigned long long)r.bytes, (unsigned long long)r.files_copied,
                 (unsigned long long)r.bytes_copied);
    return f->verify ? verify(store, name, "backup") : 0;
}

int command_backup(int argc, char **argv)
{
    struct backup_flags f = {.data = STR("./cairn-data")};
    const struct flag_set set = {"Flags", backup_table, ARRAY_LEN(backup_table), &f};
    struct object_store *store = NULL;
    struct err_info info = {0};
    size_t n = 0;
    if (flags_parse(argc, argv, &set, 1, NULL, 0, &n, NULL, NULL, &info)) {
        return fail("backup", &info, 2);
    }
    if (f.help || !f.store.n) {
        int status =
            help(&set, "usage: cairn backup --data=DIR --to=DIR\n\nCopies what is new to the folder of "
                       "backups, while the data folder is in use or not.\n");
        return f.help ? status : 2;
    }
    if (object_store_open_dir(f.store.p, &store, &info)) {
        return fail("backup", &info, 1);
    }
    int status = backup_run(&f, store);
    object_store_close(store);
    return status;
}

/* -- restore --------------------------------------------------------------------------------------------- */

static int restore_run(const struct backup_flags *f, struct object_store *store)
{
    struct arena a AUTO_ARENA = {0};
    struct backup_result r = {0};
    struct err_info info = {0};
    const struct str *names = NULL;
    size_t n = 0;
    enum err e = backup_names(store, &a, &names, &n, &info);
    e = e || f->name.n || n ? e : err_set(&info, ERR_NOT_FOUND, "%.*s holds no backup", STR_FMT(f->store));
    if (e) {
        return fail("restore", &info, 1);
    }
    struct str name = f->name.n ? f->name : names[n - 1];
    if (f->verify) {
        return verify(store, name, "restore");
    }
    struct backup_progress p = progress_of((char[]){"restored"});
    e = backup_restore(store, name, f->data.p, &p, &r, &info);
    progress_end(&p);
    if (e) {
        return fail("restore", &info, 1);
    }
    (void)printf("restored %.*s to %.*s: %llu files, %llu bytes\n", STR_FMT(name), STR_FMT(f->data),
                 (unsigned long long)r.files, (unsigned long long)r.bytes);
    return 0;
}

int command_restore(int argc, char **argv)
{
    struct backup_flags f = {0};
    const struct flag_set set = {"Flags", restore_table, ARRAY_LEN(restore_table), &f};
    struct object_store *store = NULL;
    struct err_info info = {0};
    size_t n = 0;
    if (flags_parse(argc, argv, &set, 1, NULL, 0, &n, NULL, NULL, &info)) {
        return fail("restore", &info, 2);
    }
    if (f.help || !f.store.n || (!f.data.n && !f.verify)) {
        int status =
            help(&set, "usage: cairn restore --from=DIR [--backup=NAME] --data=DIR\n\nWrites a backup's "
                       "files, each compared with its hash, into a new folder.\n");
        return f.help ? status : 2;
    }
    if (!dir_is(f.store.p)) {
        (void)err_set(&info, ERR_NOT_FOUND, "there is no folder %.*s", STR_FMT(f.store));
        return fail("restore", &info, 1);
    }
    if (object_store_open_dir(f.store.p, &store, &info)) {
        return fail("restore", &info, 1);
    }
    int status = restore_run(&f, store);
    object_store_close(store);
    return status;
}
