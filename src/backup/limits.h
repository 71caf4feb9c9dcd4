/* Limits of backups, with their reasons. */
#ifndef CAIRN_BACKUP_LIMITS_H
#define CAIRN_BACKUP_LIMITS_H

enum {
    PART_BYTES_MAX = 255,       /* of a path: what file systems take */
    PATH_BYTES_MAX = 1024,      /* of a file below its root; its full path stays below PATH_MAX */
    NAME_BYTES_MAX = 100,       /* of a backup: a part of an object's key */
    DEPTH_MAX = 16,             /* of folders below a root; the stores use two */
    LIST_BYTES_MAX = 256 << 20, /* of a list: about two million files */
    PIECE_BYTES = 16 << 20, /* of a file in one object: what is held in memory, sent again after a failure */
    PIECE_BYTES_MAX = 256 << 20, /* that a list may name */
    KEPT_MAX = 10000,            /* --keep: lists that are read to learn what is still in use */
    READS_MAX = 2,               /* of a piece with wrong bytes: the way to the store may be at fault */
    LOCK_BYTES_MAX = 4096,
    STORE_BYTES_MAX = 4096, /* of the object that describes the store */
};

#endif
