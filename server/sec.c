// SPDX-License-Identifier: BSD-3-Clause
#include "sec.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *const names[] = {
	[FLAVOR_SYS] = "sys", [FLAVOR_KRB5] = "krb5", [FLAVOR_KRB5I] = "krb5i",
	[FLAVOR_KRB5P] = "krb5p",
};

const char *sec_name(enum flavor flavor)
{
	return names[flavor];
}

int sec_parse(const char *text, uint32_t *mask, struct iopmem_err *err)
{
	char copy[64], *word, *save = NULL;
	uint32_t m = 0;
	unsigned int i;

	snprintf(copy, sizeof(copy), "%s", text);
	for (word = strtok_r(copy, ",;: \t", &save); word; word = strtok_r(NULL, ",;: \t", &save)) {
		for (i = 0; i < sizeof(names) / sizeof(names[0]) && strcmp(word, names[i]); i++)
			;
		if (i == sizeof(names) / sizeof(names[0]))
			return err_msg(err, EINVAL, "sec: '%s' is none of: sys, krb5, krb5i, krb5p", word);
		m |= 1U << i;
	}
	if (!m || strlen(text) >= sizeof(copy))
		return err_msg(err, EINVAL, "sec: '%.60s' names no flavour", text);
	*mask = m;
	return 0;
}
