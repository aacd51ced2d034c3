/* SPDX-License-Identifier: Apache-2.0
 *
 * berth.http/1 - requests to the provider. The host adds credentials, keeps to allowed hosts and rate
 * limits, repeats what is safe to repeat, and answers once.
 */
#ifndef BERTH_HTTP_H
#define BERTH_HTTP_H

#include <berth/events.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BERTH_HTTP_ID "berth.http/1"

typedef struct berth_request_header_v1 {
    berth_plugin_slice name;
    berth_plugin_slice value;
} berth_request_header_v1;

#define BERTH_HTTP_IDEMPOTENT 1u /* safe to repeat though the method is not */
#define BERTH_HTTP_NO_AUTH 2u    /* add no credential */

typedef struct berth_http_request_v1 {
    uint32_t struct_size;
    uint32_t flags;             /* BERTH_HTTP_ flags */
    uint64_t timeout_ms;        /* for the whole exchange; 0: the manifest's */
    berth_plugin_slice method;  /* "GET" */
    berth_plugin_slice url;     /* "/path?query" below base_url, or absolute on an allowed host */
    berth_plugin_slice body;    /* may be empty */
    berth_plugin_slice request_class; /* names a limit and cache class of the manifest; may be empty */
    const berth_request_header_v1 *headers;
    uint64_t header_count;
} berth_http_request_v1;

/* Valid until the operation's next send, or its end. */
typedef struct berth_http_response_v1 {
    uint32_t struct_size; /* set by the plugin before the call */
    uint32_t status;      /* 100...599 */
    berth_host_slice body;
    const berth_header_v1 *headers;
    uint64_t header_count;
} berth_http_response_v1;

typedef struct berth_http_v1 {
    uint32_t struct_size;
    uint32_t revision; /* 1 */

    /* Sends and waits. BERTH_OK: an answer of any HTTP status is in *response. Otherwise no answer was had:
     * BERTH_DENIED (rule), BERTH_TIMEOUT, BERTH_REMOTE_DOWN, BERTH_THROTTLED, BERTH_AUTH_EXPIRED,
     * BERTH_AUTH_DENIED, BERTH_CANCELLED, BERTH_STALE; the host has already recorded the details, so that
     * returning the same status is enough. [operation-serial] */
    int32_t (*send)(void *host, berth_operation op, const berth_http_request_v1 *request, berth_http_response_v1 *response);
} berth_http_v1;

#ifdef __cplusplus
}
#endif

#endif
