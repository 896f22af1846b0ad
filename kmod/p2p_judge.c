// SPDX-License-Identifier: GPL-2.0-only
/*
 * The judgement itself; see p2p_judge.h.
 */
#include "p2p_judge.h"

#ifdef __KERNEL__
#include <linux/kernel.h>
#include <linux/string.h>
#else
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#define __printf(fmt, args)
#endif

#define P2P_REDIRECT	(P2P_ACS_RR | P2P_ACS_CR | P2P_ACS_EC)

/**
 * p2p_route_name - the word for a route
 * @route: the route
 */
const char *p2p_route_name(enum p2p_route route)
{
	static const char * const names[] = {
		[P2P_DIRECT] = "direct",
		[P2P_REDIRECTED] = "redirected",
		[P2P_ROOT_PORT] = "root-port",
		[P2P_HOST_BRIDGE] = "host-bridge",
		[P2P_BLOCKED] = "blocked",
		[P2P_UNKNOWN] = "unknown",
	};

	return names[route];
}

/**
 * p2p_grade_name - the word for a grade
 * @grade: the grade
 */
const char *p2p_grade_name(enum p2p_grade grade)
{
	static const char * const names[] = {
		[P2P_GOOD] = "good",
		[P2P_DOUBTFUL] = "doubtful",
		[P2P_BAD] = "bad",
	};

	return names[grade];
}

/* Adds a reason behind a semicolon; what does not fit is cut. */
__printf(2, 3)
static void p2p_because(struct p2p_verdict *v, const char *fmt, ...)
{
	static const char semicolon[] = "; ";
	size_t room = sizeof(v->reasons) - v->len;
	va_list args;
	int n;

	if (v->len && room > sizeof(semicolon)) {
		memcpy(v->reasons + v->len, semicolon, sizeof(semicolon));
		v->len += sizeof(semicolon) - 1;
		room -= sizeof(semicolon) - 1;
	}
	va_start(args, fmt);
	n = vsnprintf(v->reasons + v->len, room, fmt, args);
	va_end(args);
	v->len += n < (int)room ? (size_t)n : room - 1;
}

static bool p2p_same(const char *a, const char *b)
{
	return !strncmp(a, b, P2P_NAME_SIZE);
}

/*
 * The lowest bridge above both; @n and @c: how many bridges of the NIC and of the
 * card are below it.  NULL: none.
 */
static const struct p2p_port *p2p_common(const struct p2p_facts *f, unsigned int *n,
					 unsigned int *c)
{
	for (*n = 0; *n < f->nic.nr_ports; (*n)++)
		for (*c = 0; *c < f->card.nr_ports; (*c)++)
			if (p2p_same(f->nic.ports[*n].name, f->card.ports[*c].name))
				return &f->nic.ports[*n];
	return NULL;
}

/* Names every bridge that sends up what could turn round; bits as lspci has them. */
static bool p2p_redirects(const struct p2p_port *ports, unsigned int n,
			  struct p2p_verdict *v)
{
	bool any = false;
	unsigned int i;

	for (i = 0; i < n; i++) {
		unsigned int bits = ports[i].acs_ctrl;

		if (!(bits & P2P_REDIRECT))
			continue;
		any = true;
		p2p_because(v, "ACS of %s has%s%s%s", ports[i].name,
			    bits & P2P_ACS_RR ? " ReqRedir+" : "",
			    bits & P2P_ACS_CR ? " CmpltRedir+" : "",
			    bits & P2P_ACS_EC ? " EgressCtrl+" : "");
	}
	return any;
}

/* What makes the way to the card not matter.  Returns true when that is so. */
static bool p2p_judge_iommu(const struct p2p_facts *f, struct p2p_verdict *v)
{
	static const char moved[] =
		"the BAR has another address on the bus than for the CPU, and no IOMMU translates";
	static const char too_high[] =
		"the BAR ends above what the NIC can address, and no IOMMU translates";
	const char *why = NULL;

	switch (f->iommu) {
	case P2P_IOMMU_USER:
		v->route = P2P_UNKNOWN;
		v->grade = P2P_DOUBTFUL;
		v->remedy = "ask where its IOMMU domain is set up";
		p2p_because(v, "the NIC is handed to a program or a guest (vfio)");
		return true;
	case P2P_IOMMU_BLOCKED:
		why = "the IOMMU lets the NIC reach nothing";
		break;
	case P2P_IOMMU_NONE:
	case P2P_IOMMU_IDENTITY:
		if (f->moved)
			why = moved;
		else if (f->too_high)
			why = too_high;
		break;
	case P2P_IOMMU_TRANSLATED:
		break;
	}
	if (!why)
		return false;
	v->route = P2P_BLOCKED;
	v->grade = P2P_BAD;
	v->remedy = "give the NIC an IOMMU domain that translates (IOMMU on, no iommu=pt)";
	p2p_because(v, "%s", why);
	return true;
}

static void p2p_mention_iommu(const struct p2p_facts *f, struct p2p_verdict *v)
{
	if (f->iommu == P2P_IOMMU_TRANSLATED)
		p2p_because(v, "the IOMMU translates the NIC's addresses, so requests go up to it");
	else if (f->iommu == P2P_IOMMU_IDENTITY)
		p2p_because(v, "the IOMMU passes addresses through");
	else
		p2p_because(v, "no IOMMU");
}

/*
 * What goes through the root complex stands or falls with it.  pci_p2pdma has the
 * longer list, but speaks of requests that carry bus addresses: @same_way says
 * that those go there too.
 */
static void p2p_judge_root(const struct p2p_facts *f, struct p2p_verdict *v, bool same_way)
{
	bool ask = same_way && f->kernel != P2P_KERNEL_SILENT;
	bool listed = ask ? f->kernel == P2P_KERNEL_YES : f->listed;

	v->grade = listed ? P2P_GOOD : P2P_DOUBTFUL;
	p2p_because(v, "%s that this root complex passes peer-to-peer requests",
		    ask && listed ? "pci_p2pdma knows" :
		    ask ? "pci_p2pdma does not know" :
		    listed ? "it is known" : "it is not known");
}

static void p2p_judge_below(const struct p2p_facts *f, struct p2p_verdict *v,
			    const struct p2p_port *common, unsigned int n, unsigned int c)
{
	bool up = f->iommu == P2P_IOMMU_TRANSLATED, acs;

	p2p_because(v, "both below %s", common->name);
	acs = p2p_redirects(f->nic.ports, n, v);
	/* Not short-cut: every bridge in the way is named. */
	acs = p2p_redirects(f->card.ports, c, v) || acs;
	if (!acs)
		p2p_because(v, "no ACS redirect");
	p2p_mention_iommu(f, v);
	if (!acs && !up) {
		v->route = P2P_DIRECT;
		v->grade = P2P_GOOD;
		return;
	}
	v->route = P2P_REDIRECTED;
	p2p_judge_root(f, v, acs);
	v->remedy = !acs ? "boot with iommu=pt" :
		    up ? "boot with iommu=pt and pci=disable_acs_redir=<the bridges named>" :
		    "boot with pci=disable_acs_redir=<the bridges named>, or ACS off in firmware";
}

static void p2p_judge_apart(const struct p2p_facts *f, struct p2p_verdict *v)
{
	if (p2p_same(f->nic.root, f->card.root)) {
		v->route = P2P_ROOT_PORT;
		p2p_because(v, "no bridge above both, through the root complex at bus %s",
			    f->card.root);
	} else {
		v->route = P2P_HOST_BRIDGE;
		p2p_because(v, "from the host bridge at bus %s to that at bus %s",
			    f->nic.root, f->card.root);
	}
	p2p_mention_iommu(f, v);
	p2p_judge_root(f, v, true);
	v->remedy = "put NIC and card below one PCIe switch, or rely on the probe of iopmem-server";
}

/**
 * p2p_judge - the verdict
 * @facts:	the topology
 * @verdict:	result
 *
 * A request turns round in a switch where the address that the NIC uses is the
 * card's on the bus and no bridge in the way redirects.  An address that an IOMMU
 * translates is no bridge's, so it goes up to the root complex; so does everything
 * that ACS redirects.  As the kernel does, a redirect of completions counts, and so
 * does egress control, whose vector nobody reads here.
 */
void p2p_judge(const struct p2p_facts *facts, struct p2p_verdict *verdict)
{
	const struct p2p_port *common;
	unsigned int n, c;

	memset(verdict, 0, sizeof(*verdict));
	if (p2p_judge_iommu(facts, verdict))
		return;
	common = p2p_common(facts, &n, &c);
	if (common)
		p2p_judge_below(facts, verdict, common, n, c);
	else
		p2p_judge_apart(facts, verdict);
	if (facts->guest)
		p2p_because(verdict, "as the hypervisor shows it");
	if (verdict->grade == P2P_GOOD)
		verdict->remedy = NULL;
}
