/* The web app's files, linked in compressed. The table is generated when ui/dist exists
 * (ui/scripts/embed.mjs); without it the table is empty and pages say how to build the app. */
#ifndef CAIRN_API_UI_ASSETS_H
#define CAIRN_API_UI_ASSETS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

struct ui_asset {
    const char *path; /* "/index.html", "/assets/index-4f2a.js" */
    const char *content_type;
    struct str gzip, brotli, identity; /* p NULL: not there in this form */
    bool immutable;                    /* the name has a hash: may be cached for ever */
};

extern const struct ui_asset ui_assets[];
extern const size_t ui_asset_count;
/* Hashes of the page's inline scripts, as a content security policy writes them; a space before each. */
extern const char ui_inline_scripts[];

#endif
