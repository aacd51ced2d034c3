/* SPDX-License-Identifier: Apache-2.0
 *
 * berth.verify/1 - webhook signatures that a manifest cannot declare. The plugin sees no secret: it says
 * what was signed, and berth.signature/1 computes with the connection's key.
 */
#ifndef BERTH_VERIFY_H
#define BERTH_VERIFY_H

#include <berth/events.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BERTH_VERIFY_ID "berth.verify/1"

typedef struct berth_verify_v1 {
    uint32_t struct_size;
    uint32_t revision; /* 1 */

    /* BERTH_OK: authentic. BERTH_AUTH_DENIED: forged or stale. Anything else refuses the delivery with 503, so
     * that the provider sends it again. Must not call berth.http/1. [operation-serial] */
    int32_t (*verify)(void *instance, berth_operation op, const berth_event_v1 *event);
} berth_verify_v1;

#ifdef __cplusplus
}
#endif

#endif
