/* The statistics of an answer, in the shape that Grafana's inspector and logcli read. One process does all
 * the work, so what Loki splits over ingesters, caches and index is zero, and the store has it all. */
#include "api/loki/loki_call.h"
#include "codec/num.h"

static void json_f64(struct json_writer *w, const char *key, double v)
{
    struct buf t AUTO_BUF = {0};
    num_f64_api(&t, v);
    json_key(w, key);
    json_raw(w, buf_view(&t));
}

static void json_count(struct json_writer *w, const char *key, uint64_t v)
{
    json_key(w, key);
    json_u64(w, v);
}

static void json_zeros(struct json_writer *w, const char *const *keys, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        json_count(w, keys[i], 0);
    }
}

static void json_summary(struct json_writer *w, const struct logql_stats *s, uint64_t entries)
{
    double seconds = s->seconds > 0 ? s->seconds : 1e-9;
    json_key(w, "summary");
    json_object_begin(w);
    json_count(w, "bytesProcessedPerSecond", (uint64_t)((double)s->bytes_read / seconds));
    json_count(w, "linesProcessedPerSecond", (uint64_t)((double)s->lines_read / seconds));
    json_count(w, "totalBytesProcessed", s->bytes_read);
    json_count(w, "totalLinesProcessed", s->lines_read);
    json_f64(w, "execTime", s->seconds);
    json_f64(w, "queueTime", 0);
    json_count(w, "subqueries", 0);
    json_count(w, "totalEntriesReturned", entries);
    json_count(w, "splits", 0);
    json_count(w, "shards", 0);
    json_count(w, "totalPostFilterLines", s->lines_matched);
    json_count(w, "totalStructuredMetadataBytesProcessed", 0);
    json_object_end(w);
}

static void json_store(struct json_writer *w, const struct logql_stats *s)
{
    json_key(w, "store");
    json_object_begin(w);
    json_count(w, "totalChunksRef", 0);
    json_count(w, "totalChunksDownloaded", 0);
    json_count(w, "chunksDownloadTime", 0);
    json_key(w, "queryReferencedStructuredMetadata");
    json_bool(w, false);
    json_key(w, "chunk");
    json_object_begin(w);
    json_count(w, "headChunkBytes", 0);
    json_count(w, "headChunkLines", 0);
    json_count(w, "decompressedBytes", s->bytes_read);
    json_count(w, "decompressedLines", s->lines_read);
    json_count(w, "compressedBytes", 0);
    json_count(w, "totalDuplicates", 0);
    json_count(w, "postFilterLines", s->lines_matched);
    json_count(w, "headChunkStructuredMetadataBytes", 0);
    json_count(w, "decompressedStructuredMetadataBytes", 0);
    json_object_end(w);
    json_count(w, "chunkRefsFetchTime", 0);
    json_count(w, "congestionControlLatency", 0);
    json_count(w, "pipelineWrapperFilteredLines", 0);
    json_object_end(w);
}

static void json_cache(struct json_writer *w)
{
    static const char *const caches[] = {"chunk",        "index",        "result",      "statsResult",
                                         "volumeResult", "seriesResult", "labelResult", "instantMetricResult",
                                         "logResult"};
    static const char *const keys[] = {"entriesFound",  "entriesRequested", "entriesStored",
                                       "bytesReceived", "bytesSent",        "requests",
                                       "downloadTime",  "queryLengthServed"};
    json_key(w, "cache");
    json_object_begin(w);
    for (size_t i = 0; i < ARRAY_LEN(caches); i++) {
        json_key(w, caches[i]);
        json_object_begin(w);
        json_zeros(w, keys, ARRAY_LEN(keys));
        json_object_end(w);
    }
    json_object_end(w);
}

void loki_json_stats(struct json_writer *w, const struct logql_stats *s, uint64_t entries)
{
    static const char *const ingester[] = {"totalReached", "totalChunksMatched", "totalBatches",
                                           "totalLinesSent"};
    static const struct logql_stats none;
    json_key(w, "stats");
    json_object_begin(w);
    json_summary(w, s, entries);
    json_key(w, "querier");
    json_object_begin(w);
    json_store(w, s);
    json_object_end(w);
    json_key(w, "ingester");
    json_object_begin(w);
    json_zeros(w, ingester, ARRAY_LEN(ingester));
    json_store(w, &none);
    json_object_end(w);
    json_cache(w);
    json_key(w, "index");
    json_object_begin(w);
    json_count(w, "totalChunks", 0);
    json_count(w, "postFilterChunks", 0);
    json_count(w, "shardsDuration", 0);
    json_key(w, "usedBloomFilters");
    json_bool(w, false);
    json_object_end(w);
    json_object_end(w);
}
