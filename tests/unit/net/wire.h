/* A client that speaks HTTP byte by byte, so that the tests see what is on the wire. */
#ifndef CAIRN_TESTS_NET_WIRE_H
#define CAIRN_TESTS_NET_WIRE_H

#include "base/buf.h"
#include "base/str.h"

/* A connected TCP socket, or -1. Reads give up after ten seconds. */
int wire_connect(unsigned port);
bool wire_send(int fd, struct str text);
/* Sends `request` on a connection of its own and reads the answer to the end of the connection; the request
 * should say Connection: close. */
bool wire_ask(unsigned port, const char *request, struct buf *answer);
/* GET path with Connection: close and the given header lines ("A: b\r\n"). */
bool wire_get(unsigned port, const char *path, const char *headers, struct buf *answer);
/* Reads until the text has come; false at the end of the connection. */
bool wire_read_until(int fd, const char *text, struct buf *answer);
int wire_status(const struct buf *answer);
struct str wire_body(const struct buf *answer);
/* Value of the header line; p NULL when absent. */
struct str wire_header(const struct buf *answer, const char *name);

#endif
