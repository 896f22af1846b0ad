// SPDX-License-Identifier: BSD-3-Clause
/* mount: an export as a file system of this host, until it is unmounted. */
#include "mount/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "cli.h"

#define TIMEOUT_DEFAULT 1.0
#define THREADS_MAX 64		/* calls of the kernel's that may wait at once */

struct args {
	struct cli_list list;
	bool foreground;
	double timeout;
	struct fuse_args fuse;
};

static int set_timeout(struct args *a, const char *text)
{
	char *end;

	a->timeout = strtod(text, &end);
	return *end || end == text || !(a->timeout >= 0 && a->timeout <= 86400) ? -EINVAL : 0;
}

/* One word of -o: ours, or libfuse's, which knows what is none. */
static void add_option(struct args *a, char *word, struct argp_state *state)
{
	char *opts = NULL;

	if (!strncmp(word, "attr_timeout=", 13)) {
		if (set_timeout(a, word + 13))
			argp_error(state, "-o %s: not a number of seconds from 0 to 86400", word);
		return;
	}
	/* Whoever lets others in wants the modes of files looked at. */
	if (fuse_opt_add_opt(&opts, word) || fuse_opt_add_arg(&a->fuse, "-o") ||
	    fuse_opt_add_arg(&a->fuse, opts) ||
	    (!strcmp(word, "allow_other") && fuse_opt_add_arg(&a->fuse, "-odefault_permissions")))
		argp_failure(state, 1, ENOMEM, "-o");
	free(opts);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct args *a = state->input;
	char *word, *rest;

	switch (key) {
	case 'f':
		a->foreground = true;
		return 0;
	case 'o':
		for (word = strtok_r(arg, ",", &rest); word; word = strtok_r(NULL, ",", &rest))
			add_option(a, word, state);
		return 0;
	default:
		return cli_list_parse(key, &a->list, state);
	}
}

/* What mount(8) and /proc/mounts show. */
static int add_name(struct args *a)
{
	char *opts = NULL, name[600];
	int ret;

	snprintf(name, sizeof(name), "fsname=%.590s", a->list.arg[0]);
	ret = fuse_opt_add_opt_escaped(&opts, name) || fuse_opt_add_opt(&opts, "subtype=iopmem") ||
	      fuse_opt_add_arg(&a->fuse, "-o") || fuse_opt_add_arg(&a->fuse, opts);
	free(opts);
	return ret ? -ENOMEM : 0;
}

/*
 * After a signal the kernel still has its mount: what it is dropping may wait for calls of its
 * own, which nobody takes any more but us.
 */
static void drain(struct mount *m)
{
	struct pollfd p = { .fd = fuse_session_fd(m->session), .events = POLLIN };
	struct fuse_buf buf = { 0 };

	fuse_session_reset(m->session);
	while (cache_stopping(m)) {
		if (poll(&p, 1, 0) <= 0)
			continue;
		if (fuse_session_receive_buf(m->session, &buf) <= 0)
			continue;
		fuse_session_process_buf(m->session, &buf);
	}
	free(buf.mem);
	cache_stop(m);
}

static int serve(struct mount *m)
{
	struct fuse_loop_config *config = fuse_loop_cfg_create();
	int ret = -ENOMEM;

	if (config) {
		fuse_loop_cfg_set_max_threads(config, THREADS_MAX);
		ret = fuse_session_loop_mt(m->session, config);
		fuse_loop_cfg_destroy(config);
	}
	return ret > 0 ? 0 : ret;	/* a signal ended it */
}

/* Tells who waits at @ready that all is well, and leaves the terminal. */
static void detach(struct mount *m, int ready)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	char ok = 0;

	if (ready < 0)
		return;
	openlog("iopmem", LOG_PID, LOG_DAEMON);
	m->to_stderr = false;
	while (write(ready, &ok, 1) < 0 && errno == EINTR)
		;
	close(ready);
	if (null < 0)
		return;
	dup2(null, 0);
	dup2(null, 1);
	dup2(null, 2);
	close(null);
}

/* Mounts @m and serves it until it is unmounted; @ready as for detach(). */
static int attach(struct args *a, struct mount *m, int ready, struct iopmem_err *err)
{
	char *dir = realpath(a->list.arg[1], NULL);
	int ret;

	if (!dir)
		return cli_error(err, errno, "mount on", a->list.arg[1]);
	ret = add_name(a);
	m->session = ret ? NULL : fuse_session_new(&a->fuse, &mount_ops, sizeof(mount_ops), m);
	if (!m->session) {		/* libfuse has said why */
		free(dir);
		return cli_error(err, ret ? ENOMEM : EINVAL, "mount on", a->list.arg[1]);
	}
	ret = -EIO;
	if (fuse_set_signal_handlers(m->session))
		goto err_signals;
	if (fuse_session_mount(m->session, dir))
		goto err_mount;
	if (ready >= 0 && chdir("/"))
		goto err_chdir;
	detach(m, ready);
	ret = serve(m);
err_chdir:
	drain(m);
	fuse_session_unmount(m->session);
err_mount:
	fuse_remove_signal_handlers(m->session);
err_signals:
	fuse_session_destroy(m->session);
	free(dir);
	return ret ? cli_error(err, -ret, "mount on", a->list.arg[1]) : 0;
}

static int run(struct args *a, int ready, struct iopmem_err *err)
{
	struct mount m = { .timeout = a->timeout, .to_stderr = true };
	struct remote r;
	int ret, ret2;

	ret = remote_open(a->list.arg[0], &r, err);
	if (ret)
		return ret;
	ret = mount_init(&m, r.client, r.url.path, err);
	if (ret) {
		remote_close(&r);
		return ret;
	}
	ret = attach(a, &m, ready, err);
	mount_stop(&m);
	ret2 = remote_close(&r);	/* what is left is committed and returned */
	mount_fini(&m);
	if (ret2)
		mount_log(&m, "unmount: %s", strerror(-ret2));
	if (ret && !m.to_stderr)
		mount_log(&m, "%s", err->text);
	return ret ? ret : ret2;
}

/* In the background: how it began is the parent's exit status. */
static int run_apart(struct args *a, struct iopmem_err *err)
{
	int pipefd[2];
	pid_t pid;
	char ok;

	if (pipe2(pipefd, O_CLOEXEC))
		return cli_error(err, errno, "mount on", a->list.arg[1]);
	pid = fork();
	if (pid < 0)
		return cli_error(err, errno, "mount on", a->list.arg[1]);
	if (!pid) {
		close(pipefd[0]);
		setsid();
		return run(a, pipefd[1], err);
	}
	close(pipefd[1]);
	_exit(read(pipefd[0], &ok, 1) == 1 ? 0 : 1);
}

int cmd_mount(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "foreground", 'f', NULL, 0, "Stay in the foreground", 0 },
		{ "options", 'o', "OPTION[,OPTION...]", 0,
		  "ro, allow_other, attr_timeout=SECONDS, and what libfuse knows", 0 },
		{ 0 },
	};
	static const struct argp argp = {
		options, parse, "URL DIR", "Make an export a file system of this host.\v"
		"'fusermount3 -u DIR' unmounts it.", NULL, NULL, NULL,
	};
	struct args a = { .list = { .min = 2, .max = 2 }, .timeout = TIMEOUT_DEFAULT };
	struct iopmem_err err = { 0 };
	int ret;

	if (fuse_opt_add_arg(&a.fuse, "iopmem"))
		return cli_fail("mount", argv[0], &err);
	cli_parse(&argp, argc, argv, &a);
	ret = a.foreground ? run(&a, -1, &err) : run_apart(&a, &err);
	fuse_opt_free_args(&a.fuse);
	return ret ? cli_fail("mount", a.list.arg[0], &err) : 0;
}
