/* What S3's XML answers hold that we need: the text of the first element of a name, and the elements of a
 * list one after the other. No attributes, no nesting of equal names: S3 has none. Pure; any thread. */
#ifndef CAIRN_DISK_S3_XML_H
#define CAIRN_DISK_S3_XML_H

#include "base/arena.h"
#include "base/str.h"

/* The text between <name> and </name> at or after *at, raw; *at moves behind it. p NULL: there is none. */
struct str s3_xml_next(struct str xml, const char *name, size_t *at);
/* The first one's text with its entities decoded, in the arena; empty when absent or no memory. */
struct str s3_xml_text(struct str xml, const char *name, struct arena *a);

#endif
