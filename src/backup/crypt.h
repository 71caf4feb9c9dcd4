/* Encryption of a store of backups with a key of its own, kept in a file.
 *
 * Three keys are derived from the file's 32 bytes: one names pieces (HMAC-SHA256 of their bytes), one seals
 * objects (libsodium's secretstream, XChaCha20-Poly1305, one message, the object's key as additional data),
 * one tells whether the key fits the store. What is left to see without the key: how many objects there are,
 * their sizes and times, and the names of the backups. Without the key nothing can be read, by anyone. Pure
 * but for the file; any thread. */
#ifndef CAIRN_BACKUP_CRYPT_H
#define CAIRN_BACKUP_CRYPT_H

#include "backup/list.h"

enum {
    BACKUP_KEY_BYTES = 32,
    BACKUP_SEAL_BYTES = 8 + 24 + 17 /* that sealing adds: mark, header, tag */
};

struct backup_key {
    unsigned char naming[BACKUP_KEY_BYTES], sealing[BACKUP_KEY_BYTES];
    char check[BACKUP_HASH_CHARS + 1];
};

/* Writes a new key into a file that must not exist, for its owner only. Errors: EXISTS, IO, NO_SPACE. */
MUST_USE enum err backup_key_make(const char *path, struct err_info *reterr_info);
/* Errors: NOT_FOUND, INVALID (no key file), IO. */
MUST_USE enum err backup_key_load(const char *path, struct backup_key *ret_key, struct err_info *reterr_info);
void backup_key_done(struct backup_key *k); /* wipes */

/* The name of a piece; key NULL: its SHA-256. */
void backup_piece_name(const struct backup_key *k, struct str bytes, char ret_name[BACKUP_HASH_CHARS + 1]);
/* Appends the sealed bytes. Errors: OOM. */
MUST_USE enum err backup_seal(const struct backup_key *k, struct str object, struct str plain,
                              struct buf *out);
/* Appends the bytes that were sealed for this object. Errors: CORRUPT, OOM. */
MUST_USE enum err backup_unseal(const struct backup_key *k, struct str object, struct str sealed,
                                struct buf *out);

#endif
