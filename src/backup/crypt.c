/* Keys and sealing. */
#include "backup/crypt.h"

#include <sodium.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/rng.h"
#include "disk/file.h"

#define KEY_WORD "cairn-backup-key-1 "
#define KEY_CONTEXT "cairnbak"
#define SEAL_MARK "CRNSEAL1"

enum {
    KEY_FILE_BYTES_MAX = 4096,
    MARK_BYTES = sizeof(SEAL_MARK) - 1,
    HEADER_BYTES = crypto_secretstream_xchacha20poly1305_HEADERBYTES,
    TAG_BYTES = crypto_secretstream_xchacha20poly1305_ABYTES
};

_Static_assert(BACKUP_SEAL_BYTES == MARK_BYTES + HEADER_BYTES + TAG_BYTES, "what sealing adds");

/* -- the file: "cairn-backup-key-1 HEX" and comments -------------------------------------------------------
 */

enum err backup_key_make(const char *path, struct err_info *reterr_info)
{
    unsigned char key[BACKUP_KEY_BYTES];
    char hex[2 * BACKUP_KEY_BYTES + 1], text[512];
    int fd = -1;
    enum err e = rng_secret(key, sizeof(key));
    if (e) {
        return err_set(reterr_info, e, "the system gives no random bytes for a key");
    }
    (void)sodium_bin2hex(hex, sizeof(hex), key, sizeof(key));
    int n = snprintf(
        text, sizeof(text),
        "# The key of encrypted backups of Cairn. Keep a copy away from this machine and away from the "
        "backups:\n# without it they cannot be read, by anyone.\n" KEY_WORD "%s\n",
        hex);
    mode_t before = umask(S_IRWXG | S_IRWXO);
    e = file_open(path, FILE_WRITE_NEW, &fd, reterr_info);
    (void)umask(before);
    if (e == ERR_EXISTS) {
        e = err_set(reterr_info, e, "%s is there already, and a key is never written over: name another file",
                    path);
    }
    e = e ? e : file_write(fd, text, (size_t)n, reterr_info);
    e = e ? e : file_sync_data(fd, reterr_info);
    file_close(fd);
    e = e ? e : dir_sync_parent(path, reterr_info);
    sodium_memzero(key, sizeof(key));
    sodium_memzero(hex, sizeof(hex));
    sodium_memzero(text, sizeof(text));
    return e;
}

static bool key_read(struct str text, unsigned char key[BACKUP_KEY_BYTES])
{
    struct str rest = text;
    while (rest.p) {
        struct str line = str_trim(str_cut(&rest, '\n'));
        if (line.n == 0 || line.p[0] == '#') {
            continue;
        }
        struct str hex =
            str_starts(line, STR(KEY_WORD)) ? str_slice(line, sizeof(KEY_WORD) - 1, line.n) : (struct str){0};
        size_t n = 0;
        return hex.n == 2 * (size_t)BACKUP_KEY_BYTES &&
               sodium_hex2bin(key, BACKUP_KEY_BYTES, hex.p, hex.n, NULL, &n, NULL) == 0 &&
               n == BACKUP_KEY_BYTES;
    }
    return false;
}

enum err backup_key_load(const char *path, struct backup_key *ret_key, struct err_info *reterr_info)
{
    unsigned char key[BACKUP_KEY_BYTES], check[BACKUP_KEY_BYTES];
    struct buf text AUTO_BUF = {.size_bytes_max = KEY_FILE_BYTES_MAX};
    enum err e = file_load(path, &text, reterr_info);
    if (e) {
        return e;
    }
    if (key_read(buf_view(&text), key)) {
        (void)crypto_kdf_derive_from_key(ret_key->naming, BACKUP_KEY_BYTES, 1, KEY_CONTEXT, key);
        (void)crypto_kdf_derive_from_key(ret_key->sealing, BACKUP_KEY_BYTES, 2, KEY_CONTEXT, key);
        (void)crypto_kdf_derive_from_key(check, BACKUP_KEY_BYTES, 3, KEY_CONTEXT, key);
        (void)sodium_bin2hex(ret_key->check, sizeof(ret_key->check), check, sizeof(check));
    } else {
        e = err_set(reterr_info, ERR_INVALID,
                    "%s is no key of backups; cairn backup --new-key=FILE makes one", path);
    }
    sodium_memzero(key, sizeof(key));
    sodium_memzero(text.p, text.n);
    return e;
}

void backup_key_done(struct backup_key *k)
{
    sodium_memzero(k, sizeof(*k));
}

/* -- naming and sealing ---------------------------------------------------------------------------------- */

void backup_piece_name(const struct backup_key *k, struct str bytes, char ret_name[BACKUP_HASH_CHARS + 1])
{
    unsigned char digest[crypto_auth_hmacsha256_BYTES];
    if (!k) {
        backup_hash(bytes, ret_name);
        return;
    }
    (void)crypto_auth_hmacsha256(digest, (const unsigned char *)(bytes.p ? bytes.p : ""), bytes.n, k->naming);
    (void)sodium_bin2hex(ret_name, BACKUP_HASH_CHARS + 1, digest, sizeof(digest));
}

enum err backup_seal(const struct backup_key *k, struct str object, struct str plain, struct buf *out)
{
    crypto_secretstream_xchacha20poly1305_state state;
    char *tail = buf_tail(out, plain.n + BACKUP_SEAL_BYTES);
    if (!tail) {
        return out->err;
    }
    unsigned char *at = (unsigned char *)tail;
    memcpy(at, SEAL_MARK, MARK_BYTES);
    (void)crypto_secretstream_xchacha20poly1305_init_push(&state, at + MARK_BYTES, k->sealing);
    (void)crypto_secretstream_xchacha20poly1305_push(
        &state, at + MARK_BYTES + HEADER_BYTES, NULL, (const unsigned char *)(plain.p ? plain.p : ""),
        plain.n, (const unsigned char *)object.p, object.n, crypto_secretstream_xchacha20poly1305_TAG_FINAL);
    sodium_memzero(&state, sizeof(state));
    out->n += plain.n + BACKUP_SEAL_BYTES;
    return ERR_OK;
}

enum err backup_unseal(const struct backup_key *k, struct str object, struct str sealed, struct buf *out)
{
    crypto_secretstream_xchacha20poly1305_state state;
    unsigned char tag = 0;
    if (sealed.n < BACKUP_SEAL_BYTES || !str_starts(sealed, STR(SEAL_MARK))) {
        return ERR_CORRUPT;
    }
    const unsigned char *at = (const unsigned char *)sealed.p;
    size_t n = sealed.n - BACKUP_SEAL_BYTES;
    char *tail = buf_tail(out, n + 1); /* never no room: an empty text has a place too */
    if (!tail) {
        return out->err;
    }
    bool good = crypto_secretstream_xchacha20poly1305_init_pull(&state, at + MARK_BYTES, k->sealing) == 0 &&
                crypto_secretstream_xchacha20poly1305_pull(&state, (unsigned char *)tail, NULL, &tag,
                                                           at + MARK_BYTES + HEADER_BYTES, n + TAG_BYTES,
                                                           (const unsigned char *)object.p, object.n) == 0 &&
                tag == crypto_secretstream_xchacha20poly1305_TAG_FINAL;
    sodium_memzero(&state, sizeof(state));
    out->n += good ? n : 0;
    return good ? ERR_OK : ERR_CORRUPT;
}
