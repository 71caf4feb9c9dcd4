/* What a backup is taken of: the folders of the roles, of a running program by its snapshot, and the files of
 * the configuration. */
#ifndef CAIRN_CAIRN_BACKUP_SOURCE_H
#define CAIRN_CAIRN_BACKUP_SOURCE_H

#include "backup/backup.h"
#include "cairn/flags.h"
#include "cairn/snapshot_client.h"

enum {
    BACKUP_ROLES = 3,
    BACKUP_SOURCES_MAX = 65536
};

extern const char *const backup_roles[BACKUP_ROLES]; /* "metrics", "logs", "dashboards" */

struct backup_places {
    struct str data;                /* DATA; may be empty */
    struct str roles[BACKUP_ROLES]; /* folders of roles that are not DATA/<role>; may be empty */
    struct str positions;           /* the agent's file; empty: DATA/agent/positions.yaml when it is there */
    struct flag_list config;        /* files and folders */
};

/* A program that runs on a folder, and the snapshot it made for us. */
struct backup_program {
    struct str base; /* where its control file is */
    struct snapshot_use snapshot;
};

struct backup_sources {
    struct arena a;
    int locks[BACKUP_ROLES];
    struct backup_program programs[BACKUP_ROLES];
    size_t program_count;
    struct backup_source *rows; /* in the arena */
    size_t n, cap;
    struct str positions; /* read before any snapshot was made; p NULL: none */
};

/* Whether the place of the backups, a folder that need not exist yet, is below a folder that is backed up:
 * each backup would hold those before it. *ret_dir: which. */
bool backup_place_inside(const struct backup_places *places, struct str place, struct str *ret_dir,
                         struct arena *a);
/* Locks the folders that no program uses and asks those that run for a snapshot; what a killed backup left
 * behind goes first. *ret_s is filled even on failure: backup_sources_close. Errors: NOT_FOUND (nothing
 * there), UNAVAILABLE (a program that serves a folder cannot be asked now), DENIED, IO, OOM.
 */
MUST_USE enum err backup_sources_open(const struct backup_places *places, struct backup_sources *ret_s,
                                      struct err_info *reterr_info);
/* Removes the snapshots. */
void backup_sources_close(struct backup_sources *s);

#endif
