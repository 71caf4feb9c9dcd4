/* The web app's page and files, for any role that shows pages. */
#ifndef CAIRN_API_PAGE_H
#define CAIRN_API_PAGE_H

#include "net/http_server.h"

struct page {
    const char *role; /* "dashboards", "metrics": the page adapts itself */
    /* Writes the boot data, a JSON object without a bare '<'. NULL: only sub_path. */
    void (*boot)(void *ctx, struct http_req *r, struct buf *b);
    void *ctx;
    const char *const *paths; /* the pages there are, NULL at the end; other paths are 404. NULL: any path */
    bool api_in_json;         /* unknown paths below /api answer as Grafana does */
    bool allow_embedding;
    struct str sub_path; /* "/grafana": what the page's own addresses start with; empty = none */
};

/* For http_server_options.not_found, ctx a struct page: files by their path, the page for any other path a
 * browser asks for, 404 below /api. */
void page_not_found(void *ctx, struct http_req *r);
/* Go's 404. */
void page_send_404(struct http_req *r);

#endif
