/* SPDX-License-Identifier: Apache-2.0
 *
 * The plugin under test as the cases call it. Not public.
 */
#ifndef BERTH_HOSTILE_PLUGIN_H
#define BERTH_HOSTILE_PLUGIN_H

#include "host.h"

/* A loaded plugin: its table and what it offers, NULL where it does not. */
typedef struct hostile_plugin {
    berth_plugin_v1 table;
    const berth_events_v1 *events;
    const berth_read_stream_v1 *reading;
    const berth_write_records_v1 *writing;
    const berth_actions_v1 *actions;
    const berth_credentials_v1 *credentials;
    const berth_verify_v1 *verifying;
} hostile_plugin;

/* Loads and enters; a refusal is a failure unless `may_refuse`. 0 when there is nothing to go on with. */
int hostile_load(hostile_plugin *plugin, int may_refuse);
/* A table of the plugin by id, checked; NULL when it has none. */
const void *hostile_interface(const hostile_plugin *plugin, const char *id);
/* An instance with these settings; BERTH_OK, or the plugin's status. */
int32_t hostile_create(const hostile_plugin *plugin, const char *settings, size_t length, void **instance);
/* Load and create, for cases that begin with a good instance. */
int hostile_start(hostile_plugin *plugin, void **instance);
/* Hands events over, each body before a guard page. Answers the batch's status; `statuses` has one per event. */
int32_t hostile_handle(const hostile_plugin *plugin, void *instance, const hostile_event *const *events, size_t count, int32_t *statuses);
/* A read of a stream from `state`; hostile_begin and hostile_end are done here. */
int32_t hostile_read(const hostile_plugin *plugin, void *instance, const char *stream, uint32_t mode, const void *state, size_t length);
int32_t hostile_perform(const hostile_plugin *plugin, void *instance, const char *name, const void *input, size_t length);
int32_t hostile_check(const hostile_plugin *plugin, void *instance);
int32_t hostile_verify(const hostile_plugin *plugin, void *instance, const hostile_event *event);
int32_t hostile_write(const hostile_plugin *plugin, void *instance, const char *stream, const char *payload, int32_t *written);
/* Says that a status is none, or a defect. */
void hostile_judge(const char *what, const char *detail, int32_t status);

#define STEP(...) hostile_say("STEP", __VA_ARGS__)

#endif
