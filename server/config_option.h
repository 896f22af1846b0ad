/* SPDX-License-Identifier: BSD-3-Clause */
/* One option of the configuration: its name, where its value is kept, what it may be. */
#ifndef IOPMEM_SERVER_CONFIG_OPTION_H
#define IOPMEM_SERVER_CONFIG_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"

enum config_option_type {
	CONFIG_TEXT,		/* char[max + 1], not empty */
	CONFIG_PATH,		/* the same, absolute */
	CONFIG_WORD,		/* the same, one of @choices */
	CONFIG_NUMBER32,	/* uint32_t from @min to @max */
	CONFIG_NUMBER64,
	CONFIG_CHOICE,		/* int or enum: the index into @choices */
	CONFIG_BOOL,		/* bool: yes or no */
};

struct config_option {
	const char *name;
	enum config_option_type type;
	size_t offset;			/* of the value in the structure */
	uint64_t min, max;
	const char *const *choices;	/* ends with NULL */
	bool reload;			/* may change while the server runs */
};

/* Sets the value in the structure @base.  @what names it in the message; unchanged on error. */
int config_option_set(const struct config_option *o, void *base, const char *value,
		      const char *what, struct iopmem_err *err);
bool config_option_same(const struct config_option *o, const void *a, const void *b);
void config_option_copy(const struct config_option *o, void *to, const void *from);
/* "name = value" as a line; nothing for a text that is empty. */
void config_option_print(const struct config_option *o, const void *base, FILE *out);

#endif
