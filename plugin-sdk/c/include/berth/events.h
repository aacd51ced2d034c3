/* SPDX-License-Identifier: Apache-2.0
 *
 * berth.events/1 - webhook deliveries, already verified and durable, handed over in batches.
 */
#ifndef BERTH_EVENTS_H
#define BERTH_EVENTS_H

#include <berth/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BERTH_EVENTS_ID "berth.events/1"

typedef struct berth_header_v1 {
    berth_host_slice name; /* lower case */
    berth_host_slice value;
} berth_header_v1;

/* One delivery as it came from the wire, plus what the manifest's declarations found in it. */
typedef struct berth_event_v1 {
    uint32_t struct_size;
    uint32_t attempt; /* 1 for the first time */
    int64_t received_at;
    berth_host_slice id;     /* "evt_..." */
    berth_host_slice kind;   /* by webhook.event_kind of the manifest; may be empty */
    berth_host_slice method; /* "POST" */
    berth_host_slice query;  /* raw, without '?' */
    berth_host_slice body;   /* raw */
    const berth_header_v1 *headers;
    uint64_t header_count;
} berth_event_v1;

typedef struct berth_events_v1 {
    uint32_t struct_size;
    uint32_t revision; /* 1 */

    /* Processes `count` events in order and writes a status per event to statuses[i], preset by the host to
     * BERTH_INTERNAL. Records emitted for item i are kept if and only if statuses[i] is BERTH_OK. Answers
     * BERTH_OK when every status is set; another status fails all events still unset.
     * Up to the manifest's runtime.max_concurrency at once per instance. [operation-serial] */
    int32_t (*handle)(void *instance, berth_operation op, const berth_event_v1 *events, uint64_t count, int32_t *statuses);
} berth_events_v1;

#ifdef __cplusplus
}
#endif

#endif
