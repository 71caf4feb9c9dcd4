/* Data sources as this folder's files use them. Private to this folder. */
#ifndef CAIRN_API_GRAFANA_SOURCE_INT_H
#define CAIRN_API_GRAFANA_SOURCE_INT_H

#include "api/grafana/call_int.h"
#include "dashboards/data_sources.h"

struct source_request {
    struct str method; /* empty = GET */
    struct str path;   /* "/api/v1/query", below the source's URL */
    struct str query;  /* encoded, without '?' */
    struct str body, content_type;
    struct str encoding_flags; /* X-Loki-Response-Encoding-Flags; empty = none */
    size_t response_bytes_max; /* 0 = the client's default */
};

/* One request to the source with its credentials. Errors: as http_client_do; c->info says why. */
MUST_USE enum err source_ask(struct call *c, const struct data_source *ds, const struct source_request *q,
                             struct http_answer *ret_answer);
/* Appends text percent-encoded for a query string. */
void source_encode(struct buf *b, struct str text);

/* -- ds_frames.c: an answer of Prometheus or Loki as data frames */

struct frame_request {
    struct str ref_id, query; /* as executed */
    struct str legend;        /* legendFormat; empty or "__auto": Grafana's own naming */
    int64_t step_ms;
    bool instant;
};

/* Writes the frames (elements of the array "frames") of an answer's `data` member. Errors: INVALID (a shape
 * that is not known; c->info says which), OOM. */
MUST_USE enum err frames_write(struct call *c, const struct frame_request *q, const struct json_value *data);

#endif
