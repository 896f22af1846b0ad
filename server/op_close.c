// SPDX-License-Identifier: BSD-3-Clause
/* CLOSE, RFC 8881 section 18.2. */
#include "call.h"
#include "client.h"
#include "state.h"

void op_close(struct call *call)
{
	const iopmem_stateid_args *args = call->args;
	enum iopmem_status status;
	struct open *o;

	status = state_find_open(call->srv, call->client, &args->stateid, &o);
	if (!status)
		open_close(o);
	call_status(call, status);
}
