// SPDX-License-Identifier: BSD-3-Clause
#include "config_option.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char *const bools[] = { "no", "yes", NULL };

static int copy_text(char *dst, uint64_t max, const char *value, const char *what,
		     struct iopmem_err *err)
{
	if (!*value || strlen(value) > max)
		return err_msg(err, EINVAL, "%s: '%s' is empty or too long", what, value);
	strcpy(dst, value);
	return 0;
}

static int parse_u64(const char *value, uint64_t min, uint64_t max, const char *what,
		     uint64_t *out, struct iopmem_err *err)
{
	char *end;
	unsigned long long v;

	errno = 0;
	v = strtoull(value, &end, 10);
	if (errno || end == value || *end || *value == '-' || v < min || v > max)
		return err_msg(err, EINVAL, "%s: '%s' is not a number from %llu to %llu",
			       what, value, (unsigned long long)min, (unsigned long long)max);
	*out = v;
	return 0;
}

static int parse_choice(const char *value, const char *const *names, const char *what,
			int *out, struct iopmem_err *err)
{
	char list[128] = "";
	int i;

	for (i = 0; names[i]; i++) {
		if (!strcmp(value, names[i])) {
			*out = i;
			return 0;
		}
		snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s",
			 i ? ", " : "", names[i]);
	}
	return err_msg(err, EINVAL, "%s: '%s' is none of: %s", what, value, list);
}

static size_t size_of(const struct config_option *o)
{
	switch (o->type) {
	case CONFIG_NUMBER32:
		return sizeof(uint32_t);
	case CONFIG_NUMBER64:
		return sizeof(uint64_t);
	case CONFIG_CHOICE:
		return sizeof(int);
	case CONFIG_BOOL:
		return sizeof(bool);
	default:
		return (size_t)o->max + 1;
	}
}

int config_option_set(const struct config_option *o, void *base, const char *value,
		      const char *what, struct iopmem_err *err)
{
	char *at = (char *)base + o->offset;
	uint64_t number = 0;
	int i = 0, rc = 0;

	switch (o->type) {
	case CONFIG_TEXT:
		return copy_text(at, o->max, value, what, err);
	case CONFIG_PATH:
		if (*value != '/')
			return err_msg(err, EINVAL, "%s: '%s' is not absolute", what, value);
		return copy_text(at, o->max, value, what, err);
	case CONFIG_WORD:
		rc = parse_choice(value, o->choices, what, &i, err);
		return rc ? rc : copy_text(at, o->max, value, what, err);
	case CONFIG_NUMBER32:
	case CONFIG_NUMBER64:
		rc = parse_u64(value, o->min, o->max, what, &number, err);
		if (!rc && o->type == CONFIG_NUMBER32)
			*(uint32_t *)at = (uint32_t)number;
		else if (!rc)
			*(uint64_t *)at = number;
		return rc;
	case CONFIG_CHOICE:
		return parse_choice(value, o->choices, what, (int *)at, err);
	case CONFIG_BOOL:
		rc = parse_choice(value, bools, what, &i, err);
		if (!rc)
			*(bool *)at = i;
		return rc;
	}
	return err_msg(err, EINVAL, "%s: no such type", what);
}

bool config_option_same(const struct config_option *o, const void *a, const void *b)
{
	const char *at = (const char *)a + o->offset, *other = (const char *)b + o->offset;

	if (o->type == CONFIG_TEXT || o->type == CONFIG_PATH || o->type == CONFIG_WORD)
		return !strcmp(at, other);
	return !memcmp(at, other, size_of(o));
}

void config_option_copy(const struct config_option *o, void *to, const void *from)
{
	memcpy((char *)to + o->offset, (const char *)from + o->offset, size_of(o));
}

void config_option_print(const struct config_option *o, const void *base, FILE *out)
{
	const char *at = (const char *)base + o->offset;

	switch (o->type) {
	case CONFIG_NUMBER32:
		fprintf(out, "%s = %" PRIu32 "\n", o->name, *(const uint32_t *)at);
		return;
	case CONFIG_NUMBER64:
		fprintf(out, "%s = %" PRIu64 "\n", o->name, *(const uint64_t *)at);
		return;
	case CONFIG_CHOICE:
		fprintf(out, "%s = %s\n", o->name, o->choices[*(const int *)at]);
		return;
	case CONFIG_BOOL:
		fprintf(out, "%s = %s\n", o->name, bools[*(const bool *)at]);
		return;
	default:
		if (*at)
			fprintf(out, "%s = %s\n", o->name, at);
	}
}
