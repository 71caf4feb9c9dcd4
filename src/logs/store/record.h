/* One push as a record of the write-ahead log.
 *
 * Byte 0: the form (0 plain, 1 lz4 behind a varint of the plain length). Plain: version byte, tenant,
 * streams; a stream: labels, entries; an entry: zigzag difference of ts to the one before, line, metadata. */
#ifndef CAIRN_LOGS_STORE_RECORD_H
#define CAIRN_LOGS_STORE_RECORD_H

#include "base/arena.h"
#include "base/buf.h"
#include "logs/model/sink.h"

/* Appends the record to dst; `scratch` is overwritten. Errors: OOM, LIMIT. */
MUST_USE enum err record_encode(const struct log_push *push, struct buf *scratch, struct buf *dst);
/* Views into the record and the arena. Errors: CORRUPT, OOM, LIMIT. */
MUST_USE enum err record_decode(struct str record, struct arena *a, struct log_push *ret_push,
                                struct err_info *reterr_info);

#endif
