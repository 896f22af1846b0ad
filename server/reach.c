// SPDX-License-Identifier: BSD-3-Clause
#include "reach.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/* GRADE FUNCTION RDMA-DEVICE[,RDMA-DEVICE...] ROUTE: ... */
static bool is_about(const char *line, const char *rdma)
{
	char names[256], *save = NULL, *name;

	if (sscanf(line, "%*s %*s %255s", names) != 1)
		return false;
	for (name = strtok_r(names, ",", &save); name; name = strtok_r(NULL, ",", &save))
		if (!strcmp(name, rdma))
			return true;
	return false;
}

bool reach_verdict(const char *path, const char *rdma, char *line, size_t size)
{
	char file[96], *text = NULL;
	bool found = false;
	size_t room = 0;
	struct stat st;
	FILE *f;

	if (stat(path, &st))
		return false;
	snprintf(file, sizeof(file), "/sys/dev/block/%u:%u/device/iopmem/p2p", major(st.st_dev),
		 minor(st.st_dev));
	f = fopen(file, "re");
	if (!f)
		return false;
	while (!found && getline(&text, &room, f) > 0)
		found = is_about(text, rdma);
	if (found)
		snprintf(line, size, "%.*s", (int)strcspn(text, "\n"), text);
	free(text);
	fclose(f);
	return found;
}
