// SPDX-License-Identifier: BSD-3-Clause
#include "cli.h"

int cmd_rm(int argc, char **argv)
{
	struct iopmem_err err = { 0 };
	const char *url[1];
	struct remote r;
	int ret;

	cli_args(argc, argv, "URL", "Remove a file or an empty directory.", 1, url, NULL);
	ret = remote_open(url[0], &r, &err);
	if (!ret)
		ret = iopmem_remove(r.client, r.url.path, &err);
	remote_close(&r);
	return ret ? cli_fail("rm", url[0], &err) : 0;
}
