/* SPDX-License-Identifier: Apache-2.0
 *
 * berth.actions/1 - named operations on demand, declared in the manifest with their schemas.
 */
#ifndef BERTH_ACTIONS_H
#define BERTH_ACTIONS_H

#include <berth/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BERTH_ACTIONS_ID "berth.actions/1"

typedef struct berth_actions_v1 {
    uint32_t struct_size;
    uint32_t revision; /* 1 */

    /* Performs action `name` with JSON `input`; host->reply gives its JSON output. Records it learns of may be
     * emitted and are kept when it answers BERTH_OK. The idempotency key is the same when the host repeats
     * the call. [operation-serial] */
    int32_t (*perform)(void *instance, berth_operation op, berth_host_slice name, berth_host_slice input,
                       berth_host_slice idempotency_key);
} berth_actions_v1;

#ifdef __cplusplus
}
#endif

#endif
