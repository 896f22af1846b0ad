// SPDX-License-Identifier: BSD-3-Clause
#include "rights.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <utlist.h>

#include "base/log.h"
#include "client.h"
#include "export.h"
#include "layout.h"
#include "recall.h"

struct entry {
	uint8_t other[12];		/* of the open's stateid */
	struct cred cred;
	uint32_t asked;			/* and left by the export's rules */
	uint32_t allowed;		/* out */
};

struct check {
	struct job job;
	struct file *file;
	uint64_t seq;
	void (*done)(void *arg);
	void *arg;
	size_t n;
	struct entry e[];
};

/* What cannot be found out is not allowed. */
static uint32_t allowed(int fd, const struct entry *e)
{
	static const uint32_t bits[] = { IOPMEM_ACCESS_READ, IOPMEM_ACCESS_WRITE };
	uint32_t may = 0;
	size_t i;

	if (cred_enter(&e->cred))
		return 0;
	for (i = 0; i < sizeof(bits) / sizeof(bits[0]); i++)
		if ((e->asked & bits[i]) && !cred_access(fd, bits[i]))
			may |= bits[i];
	cred_leave();
	return may;
}

static void run(struct job *job)
{
	struct check *c = (struct check *)job;
	int fd = c->file->exp->ops->file_fd(c->file->bf);
	struct stat st;
	size_t i;

	if (fstat(fd, &st))
		return;
	for (i = 0; i < c->n; i++)
		c->e[i].allowed = cred_uid(&c->e[i].cred) == st.st_uid ? c->e[i].asked :
				  allowed(fd, &c->e[i]);
}

static void apply(struct open *o, uint32_t may)
{
	uint32_t lost = o->access & ~may;
	struct client *c = o->st.client;
	struct layout *l;

	o->access = o->asked & may;
	if (!lost)
		return;
	log_info("%s: client %s, uid %u, lost the right to %s", o->file->name, c->name,
		 o->cred.uid, lost & IOPMEM_ACCESS_WRITE ?
		 lost & IOPMEM_ACCESS_READ ? "read and write" : "write" : "read");
	l = layout_find(o->file, c);
	if (l && l->segs)
		recall_start(l, NULL, (struct range){ 0, UINT64_MAX }, "a right was withdrawn");
}

/* Of what was asked for; whoever looks at the file cannot give back more. */
static uint32_t left_by_rules(const struct open *o)
{
	return o->asked & export_leaves(o->file->exp, &o->from, o->st.client->flavor);
}

/* No pointer to an open survives apply(): it may be the end of a client and all its opens. */
static void apply_entry(struct file *f, const struct entry *e)
{
	struct open *o;

	DL_FOREACH2(f->opens, o, file_next)
		if (!memcmp(o->st.other, e->other, sizeof(e->other)))
			return apply(o, e->allowed & left_by_rules(o));
}

/* What the export's rules do not leave, or everything, is gone at once. */
static void withdraw(struct file *f, bool everything)
{
	struct open *o, *next;

	file_ref(f);		/* it may lose its last open */
	for (o = f->opens; o; o = next) {
		uint32_t may = everything ? 0 : left_by_rules(o);
		bool ends = o->st.client->courtesy;

		next = o->file_next;
		if (!(o->access & ~may))
			continue;
		apply(o, o->access & may);
		if (ends)	/* the client, perhaps: so may @next */
			next = f->opens;
	}
	file_put(f);
}

static void run_done(struct job *job)
{
	struct check *c = (struct check *)job;
	struct file *f = c->file;
	size_t i;

	/* One that started later has looked at something newer. */
	if (c->seq > f->rights_done) {
		f->rights_done = c->seq;
		for (i = 0; i < c->n; i++)
			apply_entry(f, &c->e[i]);
	}
	if (c->done)
		c->done(c->arg);
	free(c);
	file_put(f);
}

void rights_check(struct file *f, void (*done)(void *arg), void *arg)
{
	struct check *c;
	struct open *o;
	size_t n = 0;

	DL_FOREACH2(f->opens, o, file_next)
		n++;
	if (!n)
		return done(arg);
	c = calloc(1, sizeof(*c) + n * sizeof(c->e[0]));
	if (!c) {
		log_error("%s: no memory to look at rights: every open loses them", f->name);
		file_ref(f);
		withdraw(f, true);
		done(arg);
		return file_put(f);
	}
	DL_FOREACH2(f->opens, o, file_next) {
		struct entry *e = &c->e[c->n++];

		memcpy(e->other, o->st.other, sizeof(e->other));
		e->cred = o->cred;
		e->asked = left_by_rules(o);
	}
	c->file = f;
	c->seq = ++f->rights_seq;
	c->done = done;
	c->arg = arg;
	c->job.run = run;
	c->job.done = run_done;
	file_ref(f);
	pool_submit(f->srv->fs_pool, &c->job);
}

static void looked(void *arg)
{
	struct file *f = arg;

	f->rights_running = false;
	if (!f->rights_again)
		return;
	f->rights_again = false;
	rights_changed(f);
}

void rights_changed(struct file *f)
{
	withdraw(f, false);
	if (f->rights_running) {
		f->rights_again = true;
		return;
	}
	f->rights_running = true;
	rights_check(f, looked, f);
}
