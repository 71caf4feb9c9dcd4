/* Ceilings of the agent, in one place. */
#ifndef CAIRN_AGENT_MODEL_LIMITS_H
#define CAIRN_AGENT_MODEL_LIMITS_H

enum {
    /* Labels of one entry, internal ones included. Loki refuses more than 15 by default; Kubernetes targets
     * carry dozens of __meta labels before relabelling, which never become labels of an entry. */
    AGENT_LABELS_MAX = 128,
    /* Values that stages extracted from one line. */
    AGENT_EXTRACTED_MAX = 1024,
    /* Bytes read from a file in one turn: the unit of acknowledgement, hence of duplicates after a crash. */
    AGENT_READ_BYTES = 128 << 10,
    /* A longer line is delivered in pieces. Four times what Loki takes by default. */
    AGENT_LINE_BYTES_MAX = 1 << 20,
    /* Bytes a client may hold in batches beyond the one being sent; then its inputs wait. */
    AGENT_QUEUE_BATCHES = 4,
    /* Tenants of one client that may have lines waiting. */
    AGENT_TENANTS_MAX = 1024,
    /* Streams in one batch; a full one is sent. */
    AGENT_BATCH_STREAMS_MAX = 16384,
    /* Files one agent follows at a time. */
    AGENT_FILES_MAX = 65536,
    /* Folders watched for new files. */
    AGENT_DIRS_MAX = 8192,
    /* Streams whose state (multiline, cri, timestamp) is kept; the oldest gives way. */
    AGENT_STREAM_STATES_MAX = 10000,
    /* Memory for one entry's way through the stages. */
    AGENT_ENTRY_BYTES_MAX = 64 << 20,
    AGENT_CLIENTS_MAX = 16,
    AGENT_JOBS_MAX = 1024,
};

#endif
