/* cairn backup and cairn restore: the data and the configuration of a node into a folder or a bucket of
 * backups, and back. */
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "backup/backup.h"
#include "base/clock.h"
#include "cairn/backup_source.h"
#include "cairn/command.h"
#include "disk/file.h"

enum {
    BAR_CHARS = 30,
    BAR_EVERY_MS = 100,
    NAME_CHARS = 64,
    HELP_BYTES_MAX = 16384,
    TARGETS_MAX = BACKUP_ROLES + 3 /* and the agent, the folder of all, the configuration */
};

struct backup_flags {
    struct backup_places places;
    struct str store, name, key_file, new_key, endpoint, region, profile, ca_bundle, config_to, agent_data;
    uint64_t keep;
    bool verify, list, unlock, help;
};

#define AT(field) offsetof(struct backup_flags, field)
#define BUCKET_FLAGS                                                                                     \
    {"endpoint-url", FLAG_STR, AT(endpoint), "", "of a bucket that is not AWS': http[s]://HOST[:PORT]"}, \
        {"region", FLAG_STR, AT(region), "", "of a bucket; found out unless told"},                      \
        {"profile", FLAG_STR, AT(profile), "", "whose keys in ~/.aws open the bucket"},                  \
        {"ca-bundle", FLAG_STR, AT(ca_bundle), "", "file of CA certificates to trust for the bucket"},   \
    {                                                                                                    \
        "help", FLAG_BOOL, AT(help), "", "this text"                                                     \
    }
#define KEY_FLAG(text)                               \
    {                                                \
        "key-file", FLAG_STR, AT(key_file), "", text \
    }

static const struct flag backup_table[] = {
    {"data", FLAG_STR, AT(places.data), "./cairn-data", "data folder to back up"},
    {"to", FLAG_STR, AT(store), "", "where the backups are: a folder, or s3://BUCKET/PREFIX"},
    {"metrics-data", FLAG_STR, AT(places.roles[0]), "DATA/metrics", "folder of the role metrics"},
    {"logs-data", FLAG_STR, AT(places.roles[1]), "DATA/logs", "folder of the role logs"},
    {"dashboards-data", FLAG_STR, AT(places.roles[2]), "DATA/dashboards", "folder of the role dashboards"},
    {"positions", FLAG_STR, AT(places.positions), "DATA/agent/positions.yaml",
     "the agent's positions file, where no running program tells"},
    {"config", FLAG_LIST, AT(places.config), "",
     "file or folder of configuration to keep too, besides those a running program says it reads"},
    {"name", FLAG_STR, AT(name), "", "name of the backup; the time unless told"},
    {"keep", FLAG_U64, AT(keep), "", "remove all but so many of the backups that are named by their time"},
    {"verify", FLAG_BOOL, AT(verify), "", "read the backup again and compare"},
    KEY_FLAG("encrypt with the key in this file; without it nobody can read the backups"),
    {"new-key", FLAG_STR, AT(new_key), "", "make a key, write it to this new file, and nothing else"},
    {"unlock", FLAG_BOOL, AT(unlock), "",
     "remove the lock of a writer that is gone for good, and nothing else"},
    BUCKET_FLAGS,
};

static const struct flag restore_table[] = {
    {"from", FLAG_STR, AT(store), "", "where the backups are: a folder, or s3://BUCKET/PREFIX"},
    {"backup", FLAG_STR, AT(name), "", "name of the backup; the last unless told"},
    {"data", FLAG_STR, AT(places.data), "", "folder to write every role's data to, absent or empty"},
    {"metrics-data", FLAG_STR, AT(places.roles[0]), "DATA/metrics", "folder for the role metrics alone"},
    {"logs-data", FLAG_STR, AT(places.roles[1]), "DATA/logs", "folder for the role logs alone"},
    {"dashboards-data", FLAG_STR, AT(places.roles[2]), "DATA/dashboards",
     "folder for the role dashboards alone"},
    {"agent-data", FLAG_STR, AT(agent_data), "DATA/agent", "folder for the agent's positions.yaml alone"},
    {"config-to", FLAG_STR, AT(config_to), "",
     "folder to write the configuration files below, at their own paths; absent or empty"},
    {"verify", FLAG_BOOL, AT(verify), "", "only read the backup and compare"},
    {"list", FLAG_BOOL, AT(list), "", "only print the names of the backups"},
    KEY_FLAG("the key that the backups are encrypted with"),
    BUCKET_FLAGS,
};

static int fail(const char *command, const struct err_info *info, int status)
{
    (void)fprintf(stderr, "cairn %s: %s\n", command, info->message);
    return status;
}

static int help(const struct flag_set *set, const char *usage)
{
    struct buf text AUTO_BUF = {.size_bytes_max = HELP_BYTES_MAX};
    buf_c(&text, usage);
    flags_help(&text, set, 1);
    return !text.err && fwrite(text.p, 1, text.n, stdout) == text.n ? 0 : 1;
}

/* -- progress -------------------------------------------------------------------------------------------- */

struct bar {
    const char *word;
    int64_t last_ns;
    bool shown;
};

static void bar_draw(void *ctx, uint64_t done, uint64_t total)
{
    struct bar *b = ctx;
    int64_t now = clock_mono_ns(clock_real());
    char line[BAR_CHARS + 1];
    if (b->shown && done < total && now - b->last_ns < BAR_EVERY_MS * NS_PER_MS) {
        return;
    }
    uint64_t part = total ? (done < total ? done : total) * 100 / total : 100;
    for (size_t i = 0; i < BAR_CHARS; i++) {
        line[i] = i * 100 < part * BAR_CHARS ? '#' : '-';
    }
    line[BAR_CHARS] = '\0';
    (void)fprintf(stderr, "\r%s [%s] %3llu%%  %.1f of %.1f MiB ", b->word, line, (unsigned long long)part,
                  (double)done / 1048576, (double)total / 1048576);
    b->last_ns = now;
    b->shown = true;
}

static void bar_end(struct bar *b)
{
    if (b->shown) {
        (void)fputc('\n', stderr);
    }
    b->shown = false;
}

static void say_damaged(void *ctx, const char *message)
{
    bar_end(ctx);
    (void)fprintf(stderr, "damaged: %s\n", message);
}

/* On a terminal a line that is written over; elsewhere nothing. */
static struct backup_progress progress_of(struct bar *b)
{
    return (struct backup_progress){
        .step = isatty(STDERR_FILENO) ? bar_draw : NULL, .damaged = say_damaged, .ctx = b};
}

/* -- the store ------------------------------------------------------------------------------------------- */

struct open_store {
    struct object_store *objects;
    struct backup_store store;
    struct backup_key key;
    bool opened;
};

static void option_add(struct buf *place, const char *name, struct str value)
{
    if (value.n) {
        bool first = str_find_char(buf_view(place), '?', 0) == STR_NPOS;
        buf_printf(place, "%c%s=%.*s", first ? '?' : '&', name, STR_FMT(value));
    }
}

/* The flags for a bucket become options of its place. */
static enum err objects_open(const struct backup_flags *f, bool create, struct object_store **ret_s,
                             struct err_info *info)
{
    struct buf place AUTO_BUF = {.size_bytes_max = 4096};
    buf_str(&place, f->store);
    if (object_place_is_bucket(f->store)) {
        option_add(&place, "endpoint", f->endpoint);
        option_add(&place, "region", f->region);
        option_add(&place, "profile", f->profile);
        option_add(&place, "ca", f->ca_bundle);
    } else if (f->endpoint.n || f->region.n || f->profile.n || f->ca_bundle.n) {
        return err_set(info, ERR_INVALID,
                       "--endpoint-url, --region, --profile and --ca-bundle are for s3://BUCKET/PREFIX");
    } else if (!create && !dir_is(f->store.p)) {
        return err_set(info, ERR_NOT_FOUND, "there is no folder %.*s", STR_FMT(f->store));
    }
    return place.err ? err_set(info, ERR_OOM, "no memory for a path")
                     : object_store_open(buf_view(&place), ret_s, info);
}

/* Said, not refused: who may read the key is the operator's to decide. */
static void key_exposed(struct str path)
{
    struct stat st;
    if (path.n && stat(path.p, &st) == 0 && (st.st_mode & S_IROTH)) {
        (void)fprintf(stderr, "warning: everybody on this machine can read the key %s; chmod o= it\n",
                      path.p);
    }
}

static enum err store_open(const struct backup_flags *f, bool create, struct open_store *ret_o,
                           struct err_info *info)
{
    *ret_o = (struct open_store){0};
    key_exposed(f->key_file);
    enum err e = f->key_file.n ? backup_key_load(f->key_file.p, &ret_o->key, info) : ERR_OK;
    e = e ? e : objects_open(f, create, &ret_o->objects, info);
    e = e ? e
          : backup_store_open(ret_o->objects, f->key_file.n ? &ret_o->key : NULL, create, &ret_o->store,
                              info);
    ret_o->opened = !e;
    return e;
}

static void store_close(struct open_store *o)
{
    if (o->opened) {
        backup_store_close(&o->store);
    }
    object_store_close(o->objects);
    backup_key_done(&o->key);
}

static int verify(struct backup_store *store, struct str name, const char *command)
{
    struct backup_result r = {0};
    struct err_info info = {0};
    uint64_t bad = 0;
    struct bar bar = {.word = "verified"};
    struct backup_progress p = progress_of(&bar);
    enum err e = backup_verify(store, name, &p, &r, &bad, &info);
    bar_end(&bar);
    if (e && bad) {
        (void)fprintf(stderr, "%llu of %llu files are damaged\n", (unsigned long long)bad,
                      (unsigned long long)r.files);
    }
    if (e) {
        return fail(command, &info, 1);
    }
    (void)printf("verified %.*s: %llu files, %llu bytes\n", STR_FMT(name), (unsigned long long)r.files,
                 (unsigned long long)r.bytes);
    return 0;
}

/* -- backup ---------------------------------------------------------------------------------------------- */

/* The time; of two backups in one second the later has the next one's. */
static enum err name_now(struct backup_store *store, struct str given, char name[NAME_CHARS],
                         struct str *ret_name, struct err_info *info)
{
    struct arena a AUTO_ARENA = {0};
    const struct str *names = NULL;
    size_t n = 0;
    enum err e = given.n ? ERR_OK : backup_names(store, &a, &names, &n, info);
    bool taken = !given.n && !e;
    for (time_t now = time(NULL); taken; now++) {
        struct tm t;
        if (!gmtime_r(&now, &t) || strftime(name, NAME_CHARS, "%Y%m%dT%H%M%SZ", &t) == 0) {
            return err_set(info, ERR_INTERNAL, "the clock shows no time");
        }
        taken = false;
        for (size_t i = 0; i < n; i++) {
            taken = taken || str_eq_c(names[i], name);
        }
    }
    *ret_name = given.n ? given : str_c(name);
    return e;
}

static enum err backup_take(const struct backup_flags *f, struct backup_store *store, struct str name,
                            struct backup_result *ret_r, struct err_info *info)
{
    static struct backup_sources sources; /* large; one backup a process */
    struct bar bar = {.word = "copied"};
    struct backup_progress p = progress_of(&bar);
    enum err e = backup_sources_open(&f->places, &sources, info);
    e = e ? e : backup_write(store, name, sources.rows, sources.n, &p, ret_r, info);
    bar_end(&bar);
    backup_sources_close(&sources);
    return e;
}

static int prune(struct backup_store *store, struct str made, uint64_t keep)
{
    struct err_info info = {0};
    uint64_t backups = 0, pieces = 0;
    if (backup_prune(store, made, (size_t)keep, &backups, &pieces, &info)) {
        return fail("backup", &info, 1);
    }
    (void)printf("kept %llu: removed %llu backups and %llu objects\n", (unsigned long long)keep,
                 (unsigned long long)backups, (unsigned long long)pieces);
    return 0;
}

static int backup_run(const struct backup_flags *f, struct backup_store *store)
{
    struct backup_result r = {0};
    struct err_info info = {0};
    char made[NAME_CHARS] = "";
    struct str name = {0};
    enum err e = backup_lock(store, &info);
    e = e ? e : name_now(store, f->name, made, &name, &info);
    e = e ? e : backup_take(f, store, name, &r, &info);
    if (e) {
        return fail("backup", &info, 1);
    }
    (void)printf("backup %.*s: %llu files, %llu bytes; copied %llu objects, %llu bytes\n", STR_FMT(name),
                 (unsigned long long)r.files, (unsigned long long)r.bytes,
                 (unsigned long long)r.pieces_copied, (unsigned long long)r.bytes_copied);
    int status = f->verify ? verify(store, name, "backup") : 0;
    return status || !f->keep ? status : prune(store, name, f->keep);
}

static int key_make(struct str path)
{
    struct err_info info = {0};
    if (backup_key_make(path.p, &info)) {
        return fail("backup", &info, 1);
    }
    (void)printf(
        "%.*s holds a new key. Keep a copy of it away from this machine: backups that are encrypted with it "
        "can be read\nwith it alone. When it is lost they are lost, and nobody can help.\n",
        STR_FMT(path));
    return 0;
}

static int backup_do(const struct backup_flags *f)
{
    struct arena a AUTO_ARENA = {0};
    struct open_store o = {0};
    struct err_info info = {0};
    struct str inside = {0};
    int status;
    if (!f->unlock && !object_place_is_bucket(f->store) &&
        backup_place_inside(&f->places, f->store, &inside, &a)) {
        (void)err_set(
            &info, ERR_INVALID,
            "--to=%.*s is below %.*s, so each backup would hold those before it; choose a place on another "
            "disk, or a bucket",
            STR_FMT(f->store), STR_FMT(inside));
        return fail("backup", &info, 2);
    }
    if (store_open(f, !f->unlock, &o, &info)) {
        status = fail("backup", &info, 1);
    } else if (f->unlock) {
        status = backup_lock_break(&o.store, &info) ? fail("backup", &info, 1) : 0;
    } else {
        status = backup_run(f, &o.store);
    }
    store_close(&o);
    return status;
}

int command_backup(int argc, char **argv)
{
    struct backup_flags f = {.places = {.data = STR("./cairn-data")}};
    const struct flag_set set = {"Flags", backup_table, ARRAY_LEN(backup_table), &f};
    struct err_info info = {0};
    size_t n = 0;
    if (flags_parse(argc, argv, &set, 1, NULL, 0, &n, NULL, NULL, &info)) {
        return fail("backup", &info, 2);
    }
    bool other = f.places.positions.n || f.places.config.n;
    for (size_t i = 0; i < BACKUP_ROLES; i++) {
        other = other || f.places.roles[i].n;
    }
    if (other && str_eq_c(f.places.data, "./cairn-data") && !dir_is("./cairn-data")) { /* it is not meant */
        f.places.data = (struct str){0};
    }
    if (!f.help && !f.store.n && !f.new_key.n) {
        (void)err_set(&info, ERR_INVALID, "say where the backups are: --to=DIR or --to=s3://BUCKET/PREFIX");
        return fail("backup", &info, 2);
    }
    if (f.help) {
        int status =
            help(&set, "usage: cairn backup --data=DIR --to=PLACE\n\nCopies what is new to the backups, "
                       "while the data folder is in use or not.\n");
        return status;
    }
    return f.new_key.n ? key_make(f.new_key) : backup_do(&f);
}

/* -- restore --------------------------------------------------------------------------------------------- */

/* A role's own folder goes before the folder of all. */
static size_t targets_of(const struct backup_flags *f, struct backup_target targets[TARGETS_MAX])
{
    size_t n = 0;
    for (size_t i = 0; i < BACKUP_ROLES; i++) {
        if (f->places.roles[i].n) {
            targets[n++] = (struct backup_target){f->places.roles[i].p, backup_roles[i]};
        }
    }
    if (f->agent_data.n) {
        targets[n++] = (struct backup_target){f->agent_data.p, "agent"};
    }
    if (f->places.data.n) {
        targets[n++] = (struct backup_target){f->places.data.p, NULL};
    }
    if (f->config_to.n) {
        targets[n++] = (struct backup_target){f->config_to.p, "config"};
    }
    return n;
}

static int restore_files(const struct backup_flags *f, struct backup_store *store, struct str name)
{
    struct backup_target targets[TARGETS_MAX];
    struct backup_result r = {0};
    struct err_info info = {0};
    struct bar bar = {.word = "restored"};
    struct backup_progress p = progress_of(&bar);
    size_t n = targets_of(f, targets);
    enum err e = backup_restore(store, name, targets, n, &p, &r, &info);
    bar_end(&bar);
    if (e) {
        int status = fail("restore", &info, 1);
        if (e != ERR_EXISTS && e != ERR_NOT_FOUND) {
            (void)fprintf(
                stderr,
                "what was restored so far stands in .restoring; the same command goes on from there\n");
        }
        return status;
    }
    (void)printf("restored %.*s to", STR_FMT(name));
    for (size_t i = 0; i < n; i++) {
        (void)printf(" %s", targets[i].dir);
    }
    (void)printf(": %llu files, %llu bytes\n", (unsigned long long)r.files, (unsigned long long)r.bytes);
    return 0;
}

/* The newest by its time; without one the last by name. */
static struct str newest(const struct str *names, size_t n)
{
    struct str name = n ? names[n - 1] : (struct str){0};
    for (size_t i = 0; i < n; i++) {
        name = backup_name_timed(names[i]) || !backup_name_timed(name) ? names[i] : name;
    }
    return name;
}

static int restore_run(const struct backup_flags *f, struct backup_store *store)
{
    struct arena a AUTO_ARENA = {0};
    struct err_info info = {0};
    const struct str *names = NULL;
    size_t n = 0;
    enum err e = backup_names(store, &a, &names, &n, &info);
    e = e || f->name.n || n ? e : err_set(&info, ERR_NOT_FOUND, "%.*s holds no backup", STR_FMT(f->store));
    if (e) {
        return fail("restore", &info, 1);
    }
    for (size_t i = 0; f->list && i < n; i++) {
        (void)printf("%.*s\n", STR_FMT(names[i]));
    }
    struct str name = f->name.n ? f->name : newest(names, n);
    return f->list ? 0 : f->verify ? verify(store, name, "restore") : restore_files(f, store, name);
}

int command_restore(int argc, char **argv)
{
    struct backup_flags f = {0};
    const struct flag_set set = {"Flags", restore_table, ARRAY_LEN(restore_table), &f};
    struct backup_target targets[TARGETS_MAX];
    struct open_store o = {0};
    struct err_info info = {0};
    size_t n = 0;
    if (flags_parse(argc, argv, &set, 1, NULL, 0, &n, NULL, NULL, &info)) {
        return fail("restore", &info, 2);
    }
    if (!f.help && f.store.n && !targets_of(&f, targets) && !f.verify && !f.list) {
        (void)err_set(&info, ERR_INVALID,
                      "say what to do: --data=DIR and --config-to=DIR to restore, --verify, or --list");
        return fail("restore", &info, 2);
    }
    if (f.help || !f.store.n) {
        int status =
            help(&set,
                 "usage: cairn restore --from=PLACE [--backup=NAME] --data=DIR [--config-to=DIR]\n\nWrites a "
                 "backup's files, each compared with its hash, into folders that are absent or empty.\n");
        return f.help ? status : 2;
    }
    int status = store_open(&f, false, &o, &info) ? fail("restore", &info, 1) : restore_run(&f, &o.store);
    store_close(&o);
    return status;
}
