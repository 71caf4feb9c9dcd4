/* Limits of backups, with their reasons. */
#ifndef CAIRN_BACKUP_LIMITS_H
#define CAIRN_BACKUP_LIMITS_H

enum {
    PART_BYTES_MAX = 255,       /* of a path: what file systems take */
    PATH_BYTES_MAX = 1024,      /* of a file below the data folder; its full path stays below PATH_MAX */
    NAME_BYTES_MAX = 100,       /* of a backup: a part of an object's key */
    DEPTH_MAX = 16,             /* of folders below the data folder; the stores use two */
    LIST_BYTES_MAX = 256 << 20, /* of a list: about two million files */
    PIECE_BYTES = 4 << 20,      /* read at once when a file is restored or verified */
};

#endif
