// SPDX-License-Identifier: BSD-3-Clause
/*
 * What the module tells in sysfs and by its ioctl, and what of the machine decides whether RDMA
 * into a card works.  The module judges the PCI topology (kmod/p2p_judge.c); nothing of
 * that is repeated here.
 */
#include "doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "../kmod/uapi/iopmem.h"

#define MEMLOCK_MIN	(64ULL << 20)	/* below it the server refuses verbs */

struct exam {
	const char *root;
	struct json_object *report;
	enum doctor_grade worst;
	unsigned int rdma_devices;
};

const char *doctor_grade_name(enum doctor_grade grade)
{
	static const char *const names[] = { "good", "doubtful", "bad", "nothing found" };

	return names[grade];
}

/* ---- the report ---- */

static void set(struct json_object *o, const char *key, const char *value)
{
	json_object_object_add(o, key, json_object_new_string(value));
}

static struct json_object *add_array(struct json_object *o, const char *key)
{
	struct json_object *a = json_object_new_array();

	json_object_object_add(o, key, a);
	return a;
}

static void count(struct exam *x, enum doctor_grade grade)
{
	if (grade > x->worst)
		x->worst = grade;
}

/* @remedy may be NULL. */
__attribute__((format(printf, 4, 5)))
static void find(struct exam *x, enum doctor_grade grade, const char *remedy, const char *fmt, ...)
{
	struct json_object *list, *o = json_object_new_object();
	char text[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	set(o, "verdict", doctor_grade_name(grade));
	set(o, "text", text);
	if (remedy)
		set(o, "remedy", remedy);
	json_object_object_get_ex(x->report, "findings", &list);
	json_object_array_add(list, o);
	count(x, grade);
}

/* ---- files ---- */

/* The first line of a file below the root, or "". */
__attribute__((format(printf, 4, 5)))
static void read_line(const struct exam *x, char *line, size_t size, const char *fmt, ...)
{
	char path[PATH_MAX];
	size_t len = (size_t)snprintf(path, sizeof(path), "%s", x->root);
	va_list args;
	FILE *f;

	va_start(args, fmt);
	vsnprintf(path + len, sizeof(path) - len, fmt, args);
	va_end(args);
	*line = '\0';
	f = fopen(path, "re");
	if (!f)
		return;
	if (!fgets(line, (int)size, f))
		*line = '\0';
	line[strcspn(line, "\n")] = '\0';
	fclose(f);
}

/* Names that match; to be freed with globfree() whatever it returns. */
static size_t names(const struct exam *x, const char *pattern, glob_t *g)
{
	char path[PATH_MAX];

	memset(g, 0, sizeof(*g));
	snprintf(path, sizeof(path), "%s%s", x->root, pattern);
	return glob(path, 0, NULL, g) ? 0 : g->gl_pathc;
}

static const char *last_part(const char *path)
{
	return strrchr(path, '/') + 1;
}

/* ---- module ---- */

static void examine_caps(struct exam *x, struct json_object *module)
{
	struct iopmem_info info = { .size = sizeof(info), .version = IOPMEM_UAPI_VERSION };
	int fd = open("/dev/iopmem", O_RDWR | O_CLOEXEC);
	struct json_object *memory;

	if (fd < 0 || ioctl(fd, IOPMEM_IOC_GET_INFO, &info)) {
		find(x, DOCTOR_DOUBTFUL, errno == EACCES ? "run it as root" : NULL,
		     "/dev/iopmem does not tell what the module can: %s", strerror(errno));
		if (fd >= 0)
			close(fd);
		return;
	}
	close(fd);
	memory = add_array(module, "memory");
	if (info.caps & IOPMEM_CAP_DMABUF)
		json_object_array_add(memory, json_object_new_string("dmabuf"));
	if (info.caps & IOPMEM_CAP_ODP)
		json_object_array_add(memory, json_object_new_string("odp"));
	if (info.caps & IOPMEM_CAP_PIN)
		json_object_array_add(memory, json_object_new_string("pin"));
	json_object_object_add(module, "busy_hook",
			       json_object_new_boolean(info.caps & IOPMEM_CAP_BUSY_HOOK));
	json_object_object_add(module, "swap_hook",
			       json_object_new_boolean(info.caps & IOPMEM_CAP_SWAP_HOOK));
	if (!(info.caps & IOPMEM_CAP_SWAP_HOOK))
		find(x, DOCTOR_DOUBTFUL, "a kernel with kprobes",
		     "the module cannot keep xfs_fsr from moving blocks, so nothing is leased for writing");
	if (!(info.caps & (IOPMEM_CAP_PIN | IOPMEM_CAP_DMABUF)))
		find(x, DOCTOR_GOOD, NULL,
		     "memory of a card cannot be pinned here: verbs needs NICs that page on demand");
}

static bool examine_module(struct exam *x)
{
	struct json_object *module = json_object_new_object();
	char line[64];

	json_object_object_add(x->report, "module", module);
	read_line(x, line, sizeof(line), "/sys/module/iopmem/version");
	if (!*line) {
		find(x, DOCTOR_NOTHING, "modprobe iopmem", "the module iopmem is not loaded");
		return false;
	}
	set(module, "version", line);
	if (!*x->root)
		examine_caps(x, module);
	return true;
}

/* ---- cards and NICs ---- */

static enum doctor_grade grade_of(const char *word)
{
	return !strcmp(word, "good") ? DOCTOR_GOOD : !strcmp(word, "bad") ? DOCTOR_BAD :
	       DOCTOR_DOUBTFUL;
}

/* GRADE FUNCTION RDMA-DEVICES ROUTE: REASON; REASON... [-> REMEDY]; see iopmem(4). */
static void examine_nic(struct exam *x, struct json_object *nics, char *line)
{
	char grade[16], function[32], rdma[160], route[32];
	struct json_object *nic, *reasons;
	char *remedy, *reason, *save = NULL;
	int at = 0;

	line[strcspn(line, "\n")] = '\0';
	if (sscanf(line, "%15s %31s %159s %31[^:]: %n", grade, function, rdma, route, &at) != 4 ||
	    !at) {
		find(x, DOCTOR_DOUBTFUL, NULL, "p2p says: %s", line);
		return;
	}
	remedy = strstr(line + at, " -> ");
	if (remedy) {
		*remedy = '\0';
		remedy += strlen(" -> ");
	}
	nic = json_object_new_object();
	set(nic, "verdict", grade);
	set(nic, "function", function);
	set(nic, "rdma", rdma);
	set(nic, "route", route);
	reasons = add_array(nic, "reasons");
	for (reason = strtok_r(line + at, ";", &save); reason; reason = strtok_r(NULL, ";", &save))
		json_object_array_add(reasons,
				      json_object_new_string(reason + strspn(reason, " ")));
	if (remedy)
		set(nic, "remedy", remedy);
	json_object_array_add(nics, nic);
	count(x, grade_of(grade));
	x->rdma_devices += strcmp(rdma, "-") != 0;
}

static void examine_nics(struct exam *x, struct json_object *card, const char *path)
{
	struct json_object *nics = add_array(card, "nics");
	char file[PATH_MAX], *line = NULL;
	size_t room = 0;
	FILE *f;

	snprintf(file, sizeof(file), "%s/p2p", path);
	f = fopen(file, "re");
	if (!f) {
		find(x, DOCTOR_DOUBTFUL, "load the module of this version",
		     "%s: %s", file, strerror(errno));
		return;
	}
	while (getline(&line, &room, f) > 0)
		examine_nic(x, nics, line);
	free(line);
	fclose(f);
}

/* @path: .../<function>/iopmem */
static void examine_card(struct exam *x, struct json_object *cards, char *path)
{
	static const char *const attrs[] = { "disk", "bar", "size", "cache", "cache_user",
					     "coherent", "layouts", "orphans" };
	struct json_object *card = json_object_new_object(), *value;
	char line[128];
	size_t i;

	*strrchr(path, '/') = '\0';
	set(card, "function", last_part(path));
	path[strlen(path)] = '/';
	for (i = 0; i < sizeof(attrs) / sizeof(attrs[0]); i++) {
		read_line(x, line, sizeof(line), "%s/%s", path + strlen(x->root), attrs[i]);
		set(card, attrs[i], line);
	}
	json_object_object_get_ex(card, "cache", &value);
	snprintf(line, sizeof(line), "%s", json_object_get_string(value));
	json_object_object_get_ex(card, "coherent", &value);
	if (!strcmp(line, "write-back") && strcmp(json_object_get_string(value), "1"))
		find(x, DOCTOR_BAD, "iopmem.coherent, if the card is",
		     "the CPU caches the card and nobody declared it coherent: no layouts");
	json_object_object_get_ex(card, "orphans", &value);
	if (strcmp(json_object_get_string(value), "0"))
		find(x, DOCTOR_DOUBTFUL, "end the process whose NIC still holds the memory",
		     "%s layout(s) of dead processes are still in use",
		     json_object_get_string(value));
	examine_nics(x, card, path);
	json_object_array_add(cards, card);
}

static void examine_cards(struct exam *x)
{
	struct json_object *cards = add_array(x->report, "cards");
	glob_t g;
	size_t i, n = names(x, "/sys/bus/pci/drivers/iopmem/*/iopmem", &g);

	for (i = 0; i < n; i++)
		examine_card(x, cards, g.gl_pathv[i]);
	globfree(&g);
	if (!n)
		find(x, DOCTOR_NOTHING, "see iopmem(4) for how to bind one",
		     "the module is bound to no card");
}

/* ---- the machine ---- */

/* Those that are no PCI function's: rxe, siw. */
static void examine_software(struct exam *x)
{
	struct json_object *list = add_array(x->report, "software_nics");
	glob_t g;
	size_t i, n = names(x, "/sys/class/infiniband/*", &g);

	for (i = 0; i < n; i++) {
		char device[PATH_MAX];

		snprintf(device, sizeof(device), "%s/device", g.gl_pathv[i]);
		if (access(device, F_OK)) {
			json_object_array_add(list, json_object_new_string(
						      last_part(g.gl_pathv[i])));
			x->rdma_devices++;
		}
	}
	globfree(&g);
	if (!x->rdma_devices)
		find(x, DOCTOR_DOUBTFUL, "load the driver of the NIC",
		     "no RDMA device: clients can come by tcp only");
}

static void examine_limits(struct exam *x)
{
	struct rlimit limit;
	char line[16];

	read_line(x, line, sizeof(line), "/proc/sys/fs/leases-enable");
	if (!strcmp(line, "0"))
		find(x, DOCTOR_BAD, "sysctl fs.leases-enable=1",
		     "leases are off, so no layout is given");
	if (*x->root || !geteuid() || getrlimit(RLIMIT_MEMLOCK, &limit) ||
	    limit.rlim_cur >= MEMLOCK_MIN)
		return;
	find(x, DOCTOR_DOUBTFUL, "LimitMEMLOCK=infinity, or CAP_IPC_LOCK",
	     "RLIMIT_MEMLOCK is %llu KiB here: a server that is started so cannot register memory",
	     (unsigned long long)limit.rlim_cur >> 10);
}

static void examine_iommu(struct exam *x)
{
	struct json_object *list = add_array(x->report, "iommus");
	glob_t g;
	size_t i, n = names(x, "/sys/class/iommu/*", &g);

	for (i = 0; i < n; i++)
		json_object_array_add(list, json_object_new_string(last_part(g.gl_pathv[i])));
	globfree(&g);
}

enum doctor_grade doctor_examine(const char *root, struct json_object **report)
{
	struct exam x = { .root = root, .report = json_object_new_object() };

	*report = x.report;
	if (!x.report)
		return DOCTOR_NOTHING;
	add_array(x.report, "findings");
	if (examine_module(&x)) {
		examine_cards(&x);
		examine_software(&x);
		examine_limits(&x);
		examine_iommu(&x);
	}
	set(x.report, "verdict", doctor_grade_name(x.worst));
	return x.worst;
}
