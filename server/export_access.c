// SPDX-License-Identifier: BSD-3-Clause
/* Who may use an export: host rules, flavors, ports; and as whom. */
#include <netinet/in.h>
#include <string.h>

#include "base/log.h"
#include "client.h"
#include "export.h"
#include "file.h"
#include "hosts.h"
#include "rights.h"
#include "sec.h"

/* ---- names in host rules ---- */

static void resolve_run(struct job *job)
{
	hosts_resolve(container_of(job, struct export, resolving)->resolved);
}

/* Whatever is open is looked at again. */
static void rules_changed(struct export *exp)
{
	struct file *f, *tmp;

	HASH_ITER(hh, exp->srv->files, f, tmp)
		if (f->exp == exp && f->bf)
			rights_changed(f);
}

/* Meanwhile there may be other rules: then these were only kept for us. */
static void resolve_done(struct job *job)
{
	struct export *exp = container_of(job, struct export, resolving);

	bool changed = false;

	if (exp->resolved == exp->hosts)
		changed = hosts_adopt(exp->hosts);
	else
		hosts_free(exp->resolved);
	exp->resolved = NULL;
	if (changed)
		rules_changed(exp);
}

void exports_resolve(struct server *srv)
{
	unsigned int i;

	for (i = 0; i < srv->cfg.nr_exports; i++) {
		struct export *exp = &srv->exports[i];

		if (exp->resolved || !hosts_have_names(exp->hosts))
			continue;
		exp->resolved = exp->hosts;
		exp->resolving.run = resolve_run;
		exp->resolving.done = resolve_done;
		pool_submit(srv->fs_pool, &exp->resolving);
	}
}

void export_set_hosts(struct export *exp, struct hosts *hosts)
{
	if (hosts && exp->hosts)
		hosts_inherit(hosts, exp->hosts);
	if (exp->hosts != exp->resolved)
		hosts_free(exp->hosts);
	exp->hosts = hosts;
	sec_parse(exp->cfg->sec, &exp->sec, NULL);
	rules_changed(exp);
}

/* ---- who may ---- */

bool exports_want_gss(const struct server *srv)
{
	unsigned int i;

	for (i = 0; i < srv->cfg.nr_exports; i++)
		if (srv->exports[i].sec & ~(1U << FLAVOR_SYS))
			return true;
	return false;
}

static const struct host_rule *rule_of(const struct export *exp, const struct sockaddr_storage *from)
{
	return exp->hosts ? hosts_find(exp->hosts, from) : NULL;
}

static unsigned int source_port(const struct sockaddr_storage *ss)
{
	return ntohs(ss->ss_family == AF_INET ? ((const struct sockaddr_in *)ss)->sin_port :
		     ((const struct sockaddr_in6 *)ss)->sin6_port);
}

static bool secure(const struct export *exp, const struct host_rule *rule)
{
	return exp->cfg->secure || (rule && rule->secure);
}

enum iopmem_status export_admit(const struct export *exp, const struct call *call)
{
	const struct host_rule *rule = rule_of(exp, &call->addr);

	if (exp->hosts && !rule) {
		log_info("export '%s': %s matches none of its hosts", exp->cfg->name, call->peer);
		return IOPMEM_ACCESS;
	}
	if (secure(exp, rule) && source_port(&call->addr) >= 1024) {
		log_info("export '%s': %s uses port %u, which is not below 1024 (secure)",
			 exp->cfg->name, call->peer, source_port(&call->addr));
		return IOPMEM_ACCESS;
	}
	if (!(exp->sec & (1U << call->who.flavor))) {
		log_info("export '%s': %s comes with sec=%s, allowed are: %s", exp->cfg->name,
			 call->peer, sec_name(call->who.flavor), exp->cfg->sec);
		return IOPMEM_WRONGSEC;
	}
	return IOPMEM_OK;
}

enum iopmem_status export_enter(const struct call *call, const char *name, struct export **exp)
{
	*exp = export_find(call->srv, name);
	return *exp ? export_admit(*exp, call) : IOPMEM_NOENT;
}

bool export_read_only(const struct export *exp, const struct call *call)
{
	const struct host_rule *rule = rule_of(exp, &call->addr);

	return exp->cfg->read_only || (rule && rule->read_only);
}

uint32_t export_leaves(const struct export *exp, const struct sockaddr_storage *from,
		       enum flavor flavor)
{
	const struct host_rule *rule = rule_of(exp, from);

	if ((exp->hosts && !rule) || !(exp->sec & (1U << flavor)) ||
	    (secure(exp, rule) && source_port(from) >= 1024))
		return 0;
	return exp->cfg->read_only || (rule && rule->read_only) ?
	       IOPMEM_ACCESS_READ : IOPMEM_ACCESS_READ | IOPMEM_ACCESS_WRITE;
}

static enum squash squash_of(const struct export *exp, const struct call *call)
{
	const struct host_rule *rule = rule_of(exp, &call->addr);

	switch (rule ? rule->squash : HOST_SQUASH_EXPORT) {
	case HOST_SQUASH_ROOT:
		return SQUASH_ROOT;
	case HOST_SQUASH_NONE:
		return SQUASH_NONE;
	case HOST_SQUASH_ALL:
		return SQUASH_ALL;
	default:
		return exp->cfg->squash;
	}
}

void export_cred(const struct export *exp, const struct call *call, struct cred *cred)
{
	const struct config_export *cfg = exp->cfg;
	enum squash squash = squash_of(exp, call);
	unsigned int i;

	*cred = call->who.cred;
	if (squash == SQUASH_ALL || (squash == SQUASH_ROOT && cred->uid == 0)) {
		cred->uid = cfg->anon_uid;
		cred->gid = cfg->anon_gid;
		cred->nr_groups = 0;
	}
	if (squash == SQUASH_NONE)
		return;
	if (cred->gid == 0)
		cred->gid = cfg->anon_gid;
	for (i = 0; i < cred->nr_groups; i++)
		if (cred->groups[i] == 0)
			cred->groups[i] = cfg->anon_gid;
}
