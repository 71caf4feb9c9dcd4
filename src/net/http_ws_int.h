/* One WebSocket connection, shared by its life (http_ws.c) and its frames (http_ws_frame.c). */
#ifndef CAIRN_NET_HTTP_WS_INT_H
#define CAIRN_NET_HTTP_WS_INT_H

#include "net/http_int.h"

enum {
    WS_MESSAGE_BYTES_MAX = 1 << 20, /* received; fragments together */
    WS_PING_EVERY_MS = 15000,       /* also what makes a departed TLS peer show */
    WS_DEAD_AFTER_MS = 40000,       /* nothing heard for so long, pongs included */
    WS_SEND_TIMEOUT_MS = 30000,
};

enum ws_opcode {
    WS_CONTINUATION = 0,
    WS_TEXT = 1,
    WS_BINARY = 2,
    WS_CLOSE = 8,
    WS_PING = 9,
    WS_PONG = 10
};

enum ws_close_code {
    WS_CLOSE_NORMAL = 1000,
    WS_CLOSE_GOING_AWAY = 1001,
    WS_CLOSE_PROTOCOL = 1002,
    WS_CLOSE_NOT_TEXT = 1007,
    WS_CLOSE_TOO_BIG = 1009
};

struct http_ws {
    struct http_server *server;
    struct http_req *request; /* keeps it and its arena alive */
    void (*run)(void *ctx, struct http_ws *ws);
    void *ctx;
    struct MHD_UpgradeResponseHandle *handle;
    struct thread thread;
    int fd;
    bool closed;     /* no more frames in either direction */
    bool close_sent; /* write_lock */
    struct buf in;   /* bytes received, not yet parsed */
    size_t in_taken;
    struct buf message; /* fragments of the current message, then the message handed out */
    bool message_open;
    int64_t heard_ns, ping_ns; /* last byte received; last ping sent */
    struct mutex write_lock;   /* a frame is written whole */
    struct http_ws *next;      /* server's list; server->lock */
    bool over;                 /* the thread is about to end; server->lock */
};

/* Writes one frame. Errors: CANCELED, TIMEOUT; the connection is closed then. */
MUST_USE enum err ws_frame_send(struct http_ws *ws, enum ws_opcode opcode, struct str payload);
void ws_close_send(struct http_ws *ws, enum ws_close_code code);
/* Sends a ping when one is due; CANCELED when the peer has been silent too long. */
MUST_USE enum err ws_keep_alive(struct http_ws *ws, int64_t now_ns);
/* Takes what the socket has without waiting. CANCELED when the peer has left. */
MUST_USE enum err ws_pump(struct http_ws *ws);
/* Parses buffered frames: OK with a message in ws->message, TIMEOUT when there is none yet, CANCELED. */
MUST_USE enum err ws_next_message(struct http_ws *ws);

#endif
