/* A file that is written from front to back: buffered, big-endian, with a running checksum and a sticky
 * error. Private to this folder. One owner. */
#ifndef CAIRN_METRICS_PROMTSDB_PROM_OUT_H
#define CAIRN_METRICS_PROMTSDB_PROM_OUT_H

#include "base/buf.h"

struct prom_out {
    int fd; /* -1: not open */
    uint64_t at;
    struct buf b;
    uint32_t crc; /* of what was written since prom_out_crc_begin */
    bool summing;
    enum err err; /* the first; later calls do nothing */
    struct err_info *info;
};

/* A new file. *out is good for prom_out_done also after an error. */
MUST_USE enum err prom_out_open(struct prom_out *out, const char *path, struct err_info *reterr_info);
void prom_out_bytes(struct prom_out *out, const void *p, size_t n);
void prom_out_be32(struct prom_out *out, uint32_t v);
void prom_out_be64(struct prom_out *out, uint64_t v);
void prom_out_uvarint(struct prom_out *out, uint64_t v);
/* Zeros up to a multiple of `align`. */
void prom_out_pad(struct prom_out *out, unsigned align);
void prom_out_crc_begin(struct prom_out *out);
void prom_out_crc_end(struct prom_out *out); /* writes it */
/* Everything to the disk; closes. Errors: the first of all. */
MUST_USE enum err prom_out_finish(struct prom_out *out, bool sync);
void prom_out_done(struct prom_out *out);

#endif
