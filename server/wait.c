// SPDX-License-Identifier: BSD-3-Clause
#include "wait.h"

#include <utlist.h>

#include "base/clock.h"
#include "base/log.h"

#define LOG_EVERY_MS	60000
#define LOG_LINES_MAX	8	/* of one call: thousands of clients may be silent */

void wait_begin(struct wait_list *list, struct wait *w, const struct wait_type *type)
{
	if (w->type)
		return;
	w->type = type;
	w->since_ms = clock_ms();
	w->log_ms = w->since_ms + WAIT_NOTICE_MS;
	DL_APPEND(list->head, w);
}

void wait_end(struct wait_list *list, struct wait *w)
{
	if (!w->type)
		return;
	w->type = NULL;
	DL_DELETE(list->head, w);
}

uint64_t wait_age_ms(const struct wait *w)
{
	return w->type ? clock_ms() - w->since_ms : 0;
}

static const struct wait *noticeable(const struct wait *w)
{
	return w && wait_age_ms(w) >= WAIT_NOTICE_MS ? w : NULL;
}

const struct wait *wait_first(const struct wait_list *list)
{
	return noticeable(list->head);
}

const struct wait *wait_next(const struct wait *w)
{
	return noticeable(w->next);
}

static void log_one(const struct wait *w, uint64_t age_ms)
{
	struct wait_about about = { .what = "" };
	struct log_about who;

	w->type->about(w, &about);
	who = (struct log_about){ .client = about.client, .file = about.file, .export = about.export };
	log_write_about(LOG_LEVEL_WARN, &who, "waiting %llu.%llu s for %s",
			(unsigned long long)age_ms / 1000,
			(unsigned long long)age_ms / 100 % 10, about.what);
}

void wait_log(const struct wait_list *list)
{
	unsigned int lines = 0, more = 0;
	uint64_t now = clock_ms(), age;
	struct wait *w;

	DL_FOREACH(list->head, w) {
		age = now - w->since_ms;
		if (age < WAIT_NOTICE_MS)
			break;
		if (now < w->log_ms)
			continue;
		w->log_ms = now + (age < LOG_EVERY_MS ? age : LOG_EVERY_MS);
		if (lines < LOG_LINES_MAX)
			log_one(w, age);
		else
			more++;
		lines++;
	}
	if (more)
		log_warn("and %u other waits: iopmemctl waits lists them", more);
}
