// SPDX-License-Identifier: BSD-3-Clause
/* The configuration file: whatever it says, it is taken or refused with a reason. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "config.h"

static char path[64];
static int file;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	file = memfd_create("fuzz", MFD_CLOEXEC);
	if (file < 0)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct config cfg;
	struct iopmem_err err = { 0 };
	int rc;

	if (ftruncate(file, 0) || pwrite(file, data, size, 0) != (ssize_t)size)
		abort();
	config_init(&cfg);
	rc = config_load(&cfg, path, &err);
	if (!rc)
		rc = config_check(&cfg, &err);
	/* A refusal says why. */
	if (rc && (!err.code || !memchr(err.text, 0, sizeof(err.text)) || !err.text[0]))
		abort();
	if (cfg.nr_exports > CONFIG_EXPORTS_MAX)
		abort();
	return 0;
}
