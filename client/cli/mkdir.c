// SPDX-License-Identifier: BSD-3-Clause
#include "cli.h"

int cmd_mkdir(int argc, char **argv)
{
	struct iopmem_err err = { 0 };
	const char *url[1];
	struct remote r;
	int ret;

	cli_args(argc, argv, "URL", "Make a directory.", 1, url, NULL);
	ret = remote_open(url[0], &r, &err);
	if (!ret)
		ret = iopmem_mkdir(r.client, r.url.path, 0755, &err);
	remote_close(&r);
	return ret ? cli_fail("mkdir", url[0], &err) : 0;
}
