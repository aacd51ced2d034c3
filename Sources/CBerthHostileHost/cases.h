/* SPDX-License-Identifier: Apache-2.0
 *
 * The cases by name, and what they share. Not public.
 */
#ifndef BERTH_HOSTILE_CASES_H
#define BERTH_HOSTILE_CASES_H

#include "plugin.h"

#define PLAN hostile.plan
#define BATCH 32

/* The fixtures in turn; a made-up delivery where there are none. */
const hostile_event *hostile_event_at(size_t index);
size_t hostile_event_count(void);
/* Says that the plugin lacks what the case is about. */
void hostile_skip(const char *what);
/* One event alone; judged. */
int32_t hostile_handle_one(const hostile_plugin *plugin, void *instance, const hostile_event *event);
/* Everything the plugin offers, once, with good input. */
void hostile_exercise(const hostile_plugin *plugin, void *instance);
/* destroy and shutdown. */
void hostile_finish(const hostile_plugin *plugin, void *instance);
/* A body that is nearly the event's, into `room` bytes; answers its length. */
size_t hostile_mutated(const hostile_event *event, uint8_t *out, size_t room);

void hostile_case_manifest_matches(void);
void hostile_case_interface_ids(void);
void hostile_case_older_host(void);
void hostile_case_newer_host(void);
void hostile_case_without_http(void);
void hostile_case_without_signature(void);
void hostile_case_without_anything(void);
void hostile_case_settings(void);
void hostile_case_events(void);
void hostile_case_malformed_events(void);
void hostile_case_repeated_events(void);
void hostile_case_huge_events(void);
void hostile_case_resume(void);
void hostile_case_cancel(void);
void hostile_case_stale(void);
void hostile_case_failing_calls(void);
void hostile_case_provider_answers(void);
void hostile_case_foreign_state(void);
void hostile_case_actions(void);
void hostile_case_tampered_signatures(void);
void hostile_case_parallel(void);
void hostile_case_leak(void);

#endif
