/* What the log keeps: one record a batch and partition. New series come as label sets under the slot they
 * got; samples name the slot. A record may be applied twice.
 *
 *   record  = 5, tenant (length, bytes), definition*, 0, sample*
 *   defined = 1, slot, label count, (name, value)*
 *           | 2, slot, label count, bits, (name, value)*; labels whose bit is set are those of the definition
 *             before at the same place, and do not follow
 *   sample  = control byte, [slot difference], [time difference], value
 *
 * A whole record (staging.h) is the same with the number 6 and a byte of flags behind the tenant; its slots
 * are numbers of its own definitions. A record 4 holds an offset: whole records below it are done with.
 * Records 1 and 3 are 5 and 6 of before, with definitions of the first form; they are read, not written.
 *
 * Control byte: bit 0 slot is the last + 1 (no difference follows), bit 1 time is that of the sample before,
 * bits 2-5 the value: 0..8 leading bytes of the float, 9 a zigzag integer, 10 a rich sample (rich.h) on its
 * own (length, bytes). */
#ifndef CAIRN_METRICS_TSDB_RECORD_H
#define CAIRN_METRICS_TSDB_RECORD_H

#include "base/buf.h"
#include "base/clock.h"
#include "codec/varint.h"
#include "labels/labels.h"
#include "metrics/tsdb/rich.h"

enum record_version { /* the first byte; docs/formats/metrics-wal.md */
    RECORD_SAMPLES_V1 = 1,
    RECORD_SIDE = 2, /* exemplars and metadata: see side.c */
    RECORD_WHOLE_V1 = 3,
    RECORD_DONE = 4,
    RECORD_SAMPLES = 5,
    RECORD_WHOLE = 6 /* a batch that came while the log was replayed */
};

static inline bool record_is_whole(uint8_t version)
{
    return version == RECORD_WHOLE || version == RECORD_WHOLE_V1;
}

struct record_writer {
    struct buf *b;
    uint32_t slot;
    ts_ms ts;
    struct labels defined; /* last; borrowed */
};

void record_begin(struct record_writer *w, struct buf *b, struct str tenant);
void record_begin_whole(struct record_writer *w, struct buf *b, struct str tenant, bool allow_late);
/* The labels are borrowed until the next definition. */
void record_define(struct record_writer *w, uint32_t slot, struct labels ls);
/* After the last definition, before the first sample. */
void record_samples(struct record_writer *w);
void record_sample(struct record_writer *w, uint32_t slot, ts_ms ts, const struct sample_value *v);
/* The same of a float. */
void record_float(struct record_writer *w, uint32_t slot, ts_ms ts, uint64_t bits);

struct record_reader {
    struct reader r;
    uint32_t slot;
    ts_ms ts;
    struct label *labels; /* of LABELS_MAX, the caller's; untouched between two definitions */
    size_t label_count;   /* of the last definition */
    struct arena *memory; /* of histograms; the caller's */
};

/* Errors of all: CORRUPT; of histograms also OOM. */
MUST_USE enum err record_open(struct record_reader *r, struct str record, struct str *ret_tenant);
MUST_USE enum err record_open_whole(struct record_reader *r, struct str record, struct str *ret_tenant,
                                    bool *ret_allow_late);
/* NOT_FOUND after the last definition. */
MUST_USE enum err record_next_definition(struct record_reader *r, uint32_t *ret_slot,
                                         struct labels *ret_labels);
struct record_float {
    uint64_t bits;
    ts_ms ts;
    uint32_t slot;
};

/* Reads up to n samples that are floats and nothing more, fast. Returns how many; 0: record_next_sample tells
 * whether the record is at its end, damaged, or has a sample of another kind (or its last ones) next. */
size_t record_next_floats(struct record_reader *r, struct record_float *out, size_t n);
/* NOT_FOUND at the end. */
MUST_USE enum err record_next_sample(struct record_reader *r, uint32_t *ret_slot, ts_ms *ret_ts,
                                     struct sample_value *ret_v);

#endif
