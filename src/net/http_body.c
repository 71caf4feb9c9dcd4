/* Content encodings, both ways: identity only so far. */
#include "net/http_int.h"

enum err http_body_decode(struct buf *body, struct str encoding, size_t size_bytes_max)
{
    /* Snappy is part of the message format (remote write, Loki push), not of the transport: its readers undo
     * it. */
    bool plain = str_ieq(encoding, STR("identity")) || str_ieq(encoding, STR("snappy"));
    return !plain ? ERR_UNSUPPORTED : body->n > size_bytes_max ? ERR_LIMIT : ERR_OK;
}

void http_body_encode(struct http_req *r)
{
    r->encode = false;
}
