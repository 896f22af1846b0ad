// SPDX-License-Identifier: BSD-3-Clause
#include "reload.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "export.h"
#include "hosts.h"
#include "sec.h"

#define LEFT_MAX 1024

struct reload {
	struct server *srv;
	const struct options *options;
	bool krb5;			/* the server has a keytab */
	struct job job;
	bool running, again;
	struct wait wait;
	void (*told)(void *arg, const struct reload_result *result);
	void *arg;
	/* of the one that is under way */
	struct config *cfg;
	struct hosts *hosts[CONFIG_EXPORTS_MAX];	/* of cfg's exports */
	struct iopmem_err err;
	unsigned int changed;
	char left[LEFT_MAX];
};

static void about(const struct wait *w, struct wait_about *a)
{
	(void)w;
	snprintf(a->what, sizeof(a->what), "the configuration to be read again");
}

static const struct wait_type type = { "reload", about };

/* ---- helper thread ---- */

static int check_limits(struct reload *r)
{
	const struct server *srv = r->srv;
	struct backing_attr attr = { .recall_ms = config_recall_max(r->cfg) };
	unsigned int i;
	int rc = 0;

	for (i = 0; i < srv->cfg.nr_exports && !rc; i++) {
		attr.name = srv->exports[i].cfg->name;
		if (srv->exports[i].ops->check_limits)
			rc = srv->exports[i].ops->check_limits(&attr, &r->err);
	}
	return rc;
}

static int read_rules(struct reload *r, unsigned int i)
{
	const struct config_export *e = &r->cfg->exports[i];
	uint32_t sec;
	int rc = sec_parse(e->sec, &sec, &r->err);

	if (!rc && (sec & ~(1U << FLAVOR_SYS)) && !r->krb5)
		rc = err_msg(&r->err, EINVAL, "export '%s': sec=%s needs a restart, for the server has started without a keytab",
			     e->name, e->sec);
	if (!rc)
		rc = hosts_parse(e->hosts, &r->hosts[i], &r->err);
	if (!rc && hosts_have_names(r->hosts[i])) {
		hosts_resolve(r->hosts[i]);
		hosts_adopt(r->hosts[i]);
	}
	return rc;
}

static void run(struct job *job)
{
	struct reload *r = container_of(job, struct reload, job);
	unsigned int i;
	int rc;

	r->cfg = malloc(sizeof(*r->cfg));
	if (!r->cfg) {
		err_set(&r->err, ENOMEM, "read the configuration");
		return;
	}
	rc = options_parse_again(r->options, r->cfg, &r->err);
	if (!rc)
		rc = check_limits(r);
	for (i = 0; !rc && i < r->cfg->nr_exports; i++)
		rc = read_rules(r, i);
}

/* ---- loop thread ---- */

static void leave(struct reload *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void leave(struct reload *r, const char *fmt, ...)
{
	size_t len = strlen(r->left);
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_warn("reload: %s: needs a restart, stays as it was", text);
	snprintf(r->left + len, sizeof(r->left) - len, "%s%s", len ? ", " : "", text);
}

static void say_change(const struct config_option *o, const void *base, const char *where)
{
	char text[256] = "";
	FILE *f = fmemopen(text, sizeof(text) - 1, "w");

	if (f) {
		config_option_print(o, base, f);
		fclose(f);
	}
	text[strcspn(text, "\n")] = '\0';
	log_info("reload: %s%s", where, text[0] ? text : o->name);
}

/* True: something has changed. */
static bool take(struct reload *r, const struct config_option *options, void *now, const void *then,
		 const char *where)
{
	const struct config_option *o;
	bool any = false;

	for (o = options; o->name; o++) {
		if (config_option_same(o, now, then))
			continue;
		if (!o->reload) {
			leave(r, "%s%s", where, o->name);
			continue;
		}
		config_option_copy(o, now, then);
		say_change(o, now, where);
		r->changed++;
		any = true;
	}
	return any;
}

static void take_export(struct reload *r, unsigned int i)
{
	const struct config_export *then = &r->cfg->exports[i];
	struct export *exp = export_find(r->srv, then->name);
	char where[96];

	snprintf(where, sizeof(where), "export '%s': ", then->name);
	if (!exp)
		return leave(r, "new export '%s'", then->name);
	if (!take(r, config_export_options, &r->srv->cfg.exports[exp->index], then, where))
		return;
	export_set_hosts(exp, r->hosts[i]);
	r->hosts[i] = NULL;
}

static void name_removed(struct reload *r)
{
	const struct config *now = &r->srv->cfg;
	unsigned int i, j;

	for (i = 0; i < now->nr_exports; i++) {
		for (j = 0; j < r->cfg->nr_exports; j++)
			if (!strcmp(now->exports[i].name, r->cfg->exports[j].name))
				break;
		if (j == r->cfg->nr_exports)
			leave(r, "removed export '%s'", now->exports[i].name);
	}
}

static void take_all(struct reload *r)
{
	struct server *srv = r->srv;
	unsigned int i;

	take(r, config_server_options, &srv->cfg, r->cfg, "");
	log_set_level((enum log_level)srv->cfg.log_level);
	for (i = 0; i < r->cfg->nr_exports; i++)
		take_export(r, i);
	name_removed(r);
	metrics_add(&srv->metrics, METRIC_RELOADS);
	log_info("reload: the configuration was read again, %u option(s) changed", r->changed);
}

static void begin(struct reload *r)
{
	r->running = true;
	r->err.code = 0;
	r->changed = 0;
	r->left[0] = '\0';
	wait_begin(&r->srv->waits, &r->wait, &type);
	notify_reloading(r->srv);
	pool_submit(r->srv->fs_pool, &r->job);
}

static void drop(struct reload *r)
{
	unsigned int i;

	for (i = 0; i < CONFIG_EXPORTS_MAX; i++) {
		hosts_free(r->hosts[i]);
		r->hosts[i] = NULL;
	}
	free(r->cfg);
	r->cfg = NULL;
}

static void done(struct job *job)
{
	struct reload *r = container_of(job, struct reload, job);
	struct reload_result result = { .err = &r->err, .left = r->left };

	if (r->err.code) {
		metrics_add(&r->srv->metrics, METRIC_RELOADS_REFUSED);
		log_error("reload: %s; everything stays as it was", r->err.text);
	} else {
		take_all(r);
	}
	drop(r);
	wait_end(&r->srv->waits, &r->wait);
	r->running = false;
	if (r->again) {		/* who asked meanwhile is told of the next */
		r->again = false;
		return begin(r);
	}
	notify_reloaded(r->srv);
	result.changed = r->changed;
	if (r->told)
		r->told(r->arg, &result);
	r->told = NULL;
}

void reload_start(struct reload *r, void (*told)(void *arg, const struct reload_result *result),
		  void *arg)
{
	if (told) {
		r->told = told;
		r->arg = arg;
	}
	if (r->running)
		r->again = true;
	else
		begin(r);
}

bool reload_may_ask(const struct reload *r)
{
	return !r->told;
}

void reload_forget(struct reload *r)
{
	r->told = NULL;
}

int reload_open(struct server *srv, const struct options *options, struct iopmem_err *err)
{
	struct reload *r = calloc(1, sizeof(*r));

	if (!r)
		return err_set(err, ENOMEM, "reload");
	r->srv = srv;
	r->options = options;
	r->krb5 = exports_want_gss(srv);
	r->job.run = run;
	r->job.done = done;
	srv->reload = r;
	return 0;
}

void reload_close(struct server *srv)
{
	if (!srv->reload)
		return;
	drop(srv->reload);
	free(srv->reload);
	srv->reload = NULL;
}
