// SPDX-License-Identifier: BSD-3-Clause
#include "transfer.h"

int cmd_cat(int argc, char **argv)
{
	struct cli_list list = { .min = 1 };
	struct iopmem_err err = { 0 };
	struct flow_result result;
	struct place there, out;
	struct transfer t;
	struct remote r;
	int i, ret;

	cli_args(argc, argv, "URL...", "Write files to standard output.", &list);
	transfer_init(&t, "cat");
	t.mode = 0;
	ret = transfer_start(&t, &err);
	for (i = 0; !ret && i < list.n; i++) {
		ret = place_local("-", &out, &err);
		if (!ret)
			ret = remote_open(list.arg[i], &r, &err);
		if (!ret) {
			place_remote(&r, &there);
			ret = transfer_file(&t, &there, &out, 0, &result, &err);
			remote_close(&r);
		}
		if (ret)
			break;
	}
	transfer_fini(&t);
	return ret ? cli_fail("cat", list.arg[i < list.n ? i : 0], &err) : 0;
}
