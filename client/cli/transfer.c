// SPDX-License-Identifier: BSD-3-Clause
#include "transfer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "json_out.h"

enum { OPT_SPARSE = 256, OPT_CHECKSUM, OPT_JSON };

static const struct argp_option options[] = {
	{ "continue", 'c', NULL, 0,
	  "Go on with a transfer that was broken off: what is there is read and compared, and "
	  "only the rest is moved", 0 },
	{ "checksum", OPT_CHECKSUM, "ALGORITHM", OPTION_ARG_OPTIONAL,
	  "Compute a checksum (sha256 unless given), read the copy back and compare", 0 },
	{ "sparse", OPT_SPARSE, "WHEN", 0,
	  "Leave holes: auto (where the source has some), always (wherever 64 KiB are zero), never", 0 },
	{ "progress", 'p', NULL, 0, "Show progress even when stderr is no terminal", 0 },
	{ "quiet", 'q', NULL, 0, "Show no progress and no summary", 0 },
	{ "json", OPT_JSON, NULL, 0, "Print the summary as JSON on standard output", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	static const char *const when[] = { "auto", "always", "never" };
	struct transfer *t = state->input;
	unsigned int i;

	switch (key) {
	case 'c':
		t->resume = true;
		return 0;
	case 'p':
		t->mode = 1;
		return 0;
	case 'q':
		t->mode = 0;
		return 0;
	case OPT_JSON:
		t->json = true;
		return 0;
	case OPT_CHECKSUM:
		t->algorithm = arg ? arg : "sha256";
		return 0;
	case OPT_SPARSE:
		for (i = 0; i < 3; i++) {
			if (!strcmp(arg, when[i])) {
				t->sparse = (enum sparse)i;
				return 0;
			}
		}
		argp_error(state, "--sparse: '%s' is none of: auto, always, never", arg);
		return EINVAL;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp transfer_argp = { options, parse, NULL, NULL, NULL, NULL, NULL };

void transfer_init(struct transfer *t, const char *verb)
{
	*t = (struct transfer){ .verb = verb, .mode = PROGRESS_AUTO };
}

int transfer_start(struct transfer *t, struct iopmem_err *err)
{
	int ret = t->algorithm ? digest_new(t->algorithm, &t->digest, err) : 0;

	if (!ret && windows_init(&t->ws)) {
		t->ws.memory = NULL;
		ret = cli_error(err, ENOMEM, "memory for", t->verb);
	}
	return ret;
}

void transfer_fini(struct transfer *t)
{
	if (t->ws.memory)
		windows_fini(&t->ws);
	digest_free(t->digest);
}

static int same_file(const struct place *a, const struct end *from, const struct place *b,
		     struct iopmem_err *err)
{
	struct iopmem_stat st;

	if (!a->remote || !b->remote || a->remote->url.port != b->remote->url.port ||
	    strcmp(a->remote->url.host, b->remote->url.host) ||
	    strcmp(a->remote->url.export_name, b->remote->url.export_name) ||
	    place_stat(b, true, &st, NULL) || st.fileid != from->st.fileid)
		return 0;
	err->code = EINVAL;
	snprintf(err->text, sizeof(err->text), "'%.200s' and '%.200s' are the same file", a->path,
		 b->path);
	return -EINVAL;
}

static int run(struct transfer *t, struct end *from, struct end *to, struct flow_result *result,
	       struct iopmem_err *err)
{
	struct flow_options flow = { t->resume, t->sparse, t->digest };
	int ret = 0;

	if (from->remote)
		ret = remote_register(from->remote, t->ws.memory, WINDOWS_MEMORY, err);
	if (!ret && to->remote)
		ret = remote_register(to->remote, t->ws.memory, WINDOWS_MEMORY, err);
	if (ret)
		return ret;
	*(to->remote ? &to->progress : &from->progress) = &t->progress;
	progress_start(&t->progress, t->verb, t->mode, from->st.size);
	return flow_run(&t->ws, from, to, &flow, result, err);
}

int transfer_file(struct transfer *t, const struct place *from, const struct place *to,
		  uint32_t mode, struct flow_result *result, struct iopmem_err *err)
{
	struct end source, sink;
	int ret, ret2;

	ret = end_open_source(from, &source, err);
	if (ret)
		return ret;
	ret = same_file(from, &source, to, err);
	if (!ret)	/* only now: a wrong source leaves the target alone */
		ret = end_open_sink(to, mode ? mode : source.st.mode & 0777, t->resume, &sink, err);
	if (ret) {
		source.ops->close(&source, NULL);
		return ret;
	}
	ret = run(t, &source, &sink, result, err);
	source.ops->close(&source, NULL);
	ret2 = sink.ops->close(&sink, ret ? NULL : err);
	ret = ret ? ret : ret2;
	if (ret)
		progress_abort(&t->progress);
	if (ret && sink.created && !t->resume)	/* a part is not taken for the whole */
		unlink(to->path);
	if (!ret)
		t->bytes += result->size;
	return ret;
}

void transfer_print(struct transfer *t, const char *from, const char *to,
		    const struct flow_result *r)
{
	double seconds = progress_finish(&t->progress, r->size);

	if (t->json) {
		json_transfer(t, from, to, r, seconds);
		return;
	}
	if (!t->mode)
		return;
	if (r->kept)
		fprintf(stderr, "%s: %" PRIu64 " bytes were there already\n", t->verb, r->kept);
	if (t->algorithm)
		fprintf(stderr, "%s: %s %s\n", t->verb, t->algorithm, r->digest);
}
