// SPDX-License-Identifier: BSD-3-Clause
/* iopmemctl's end of the admin channel. */
#include <errno.h>
#include <json_tokener.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "ctl.h"

static int dial(const char *path, FILE **server)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(path) >= sizeof(un.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	strcpy(un.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	if (connect(fd, (struct sockaddr *)&un, sizeof(un)) || !(*server = fdopen(fd, "r"))) {
		close(fd);
		return -1;
	}
	return 0;
}

/* A server that says no does so without reading: its answer tells more than an error here. */
static void send_line(int fd, const char *text)
{
	struct iovec iov[2] = { { (void *)(uintptr_t)text, strlen(text) }, { (char[]){ '\n' }, 1 } };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };

	while (sendmsg(fd, &msg, MSG_NOSIGNAL) < 0 && errno == EINTR)
		;
}

static const char *text_of(struct json_object *o, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(o, key, &value) ? json_object_get_string(value) : NULL;
}

/* Names of files are clients' choice, and this goes to a terminal. */
static void say(const char *prefix, const char *text)
{
	fputs(prefix, stderr);
	for (; *text; text++)
		fputc((unsigned char)*text < ' ' || *text == 127 ? '?' : *text, stderr);
	fputc('\n', stderr);
}

/* The first line that is not progress; NULL: the server has closed. */
static struct json_object *read_answer(FILE *server)
{
	struct json_object *o = NULL;
	char *line = NULL;
	size_t size = 0;

	while (getline(&line, &size, server) > 0) {
		o = json_tokener_parse(line);
		if (!o || !text_of(o, "progress"))
			break;
		say("", text_of(o, "progress"));
		json_object_put(o);
		o = NULL;
	}
	free(line);
	return o;
}

static enum ctl_exit judge(struct json_object *answer)
{
	struct json_object *value;
	const char *why;

	if (json_object_object_get_ex(answer, "ok", &value) && json_object_get_boolean(value))
		return CTL_OK;
	why = text_of(answer, "error");
	say("iopmemctl: ", why ? why : "the server's answer makes no sense");
	if (json_object_object_get_ex(answer, "errno", &value) &&
	    json_object_get_int(value) == ETIMEDOUT)
		return CTL_TIMED_OUT;
	return CTL_REFUSED;
}

enum ctl_exit ctl_request(const char *path, struct json_object *request,
			  struct json_object **answer)
{
	FILE *server;

	if (dial(path, &server)) {
		fprintf(stderr, "iopmemctl: connect to '%s': %s\n", path, strerror(errno));
		return CTL_UNREACHABLE;
	}
	send_line(fileno(server), json_object_to_json_string_ext(request, JSON_C_TO_STRING_PLAIN));
	*answer = read_answer(server);
	fclose(server);
	if (!*answer) {
		fprintf(stderr, "iopmemctl: '%s': the server ended the connection without an answer\n",
			path);
		return CTL_UNREACHABLE;
	}
	return judge(*answer);
}
